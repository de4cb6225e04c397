"""`publish_delay_p99_ms`: how long a recorded answer waits for the published checkpoint that covers it, under load.

A gateway with its workers and its sequencer answers 32 callers over mutual TLS; meanwhile the published checkpoint is
looked at each millisecond. An exchange's delay is from its leaf's own time, which is taken before the commit, to the
first checkpoint seen whose size covers its index: never less than from the durable commit on.

    python benchmarks/publication.py [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from bisect import bisect_right
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from figures import Figure, keep
from run import Requests, free_port, load, server

from gateway.development import Development, Ports
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.note import parse_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.tiles import WIDTH, entries_path, unpack_entries
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

CONNECTIONS, COUNT, QUICK = 32, 6000, 800
_LOOK_SECONDS = 0.001
_QUIET_SECONDS = 3


class Watch:
    """The sizes that were published, each with when it was first seen."""

    def __init__(self, log: Path) -> None:
        self._checkpoint = log / CHECKPOINT
        self.sizes: list[int] = []
        self.seen: list[datetime] = []

    def look(self, clock: SystemClock) -> None:
        """Looks once."""
        try:
            size = parse_note(self._checkpoint.read_bytes()).checkpoint.size
        except FileNotFoundError:
            return
        if not self.sizes or size > self.sizes[-1]:
            self.sizes.append(size)
            self.seen.append(clock.now())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Looks each millisecond while the block runs."""
        stop, clock = threading.Event(), SystemClock()

        def run() -> None:
            while not stop.wait(_LOOK_SECONDS):
                self.look(clock)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def settle(self) -> None:
        """Waits until nothing new was published for some seconds."""
        size = 0
        while size < self.sizes[-1]:
            size = self.sizes[-1]
            time.sleep(_QUIET_SECONDS)

    def delay(self, index: int, at: datetime) -> float:
        """Milliseconds from a leaf's time to the first size seen that covers it."""
        return (self.seen[bisect_right(self.sizes, index)] - at).total_seconds() * 1000


def exchanges(log: Path, size: int) -> Iterator[tuple[int, datetime]]:
    """The index and the time of each exchange."""
    for start in range(0, size, WIDTH):
        entries = unpack_entries((log / entries_path(start // WIDTH, min(WIDTH, size - start))).read_bytes())
        for index, packed in enumerate(entries, start):
            leaf = unpack_leaf(packed)
            if leaf.kind == "exchange":
                yield index, leaf.time


def main() -> None:
    """Measures and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count = QUICK if quick else COUNT
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "set-up"
        folder.mkdir()
        ports = Ports(free_port(), free_port(), free_port(), free_port())
        Development(folder, ports, SystemClock(), SystemRandomness()).create(births=100)
        config, party = folder / "passerelle.toml", folder / "sandbox" / "parties" / "cooperative"
        log, requests = folder / "gateway" / "log", Requests(party, Path(scratch))
        watch = Watch(log)
        with server("exchange", config, ports.gateway):
            load(ports.gateway, CONNECTIONS, party, requests.file(QUICK))  # warms up
            file, began = requests.file(count), SystemClock().now()
            with watch.running():
                rate = load(ports.gateway, CONNECTIONS, party, file)
                watch.settle()
        size = parse_note((log / CHECKPOINT).read_bytes()).checkpoint.size
        delays = [watch.delay(index, at) for index, at in exchanges(log, size) if at > began]
    text = "ms from an exchange's leaf to the published checkpoint that covers it, {} connections"
    keep(
        {
            "publish_delay_p99_ms": Figure(round(quantiles(delays, n=100)[98], 1), "ms", 1, text.format(CONNECTIONS)),
            "publish_delay_p50_ms": Figure(round(median(delays), 1), "ms", 1, "the same, median"),
            "publish_delay_max_ms": Figure(round(max(delays), 1), "ms", 1, f"the same, worst of {len(delays)}"),
            "publish_rate_per_s": Figure(round(rate), "1/s", 1, "answers a second meanwhile"),
        },
        quick=quick,
    )


if __name__ == "__main__":
    main()
