"""A log of many exchanges, really signed, made in minutes: by the gateway's own rooms and ledger, in several processes.

    python benchmarks/making.py FOLDER EXCHANGES        one process's part, in the set-up of FOLDER

Only TLS and the registry's wire are not there. Each process is a worker of one gateway with a writer of its own, and
answers 32 callers at a time, so that 32 records share a commit; whoever started them sequences meanwhile. Half of the
exchanges are echoes, which hold 2 signatures of P-256, and half verifications over SOAP, which hold 4.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from gevent.pool import Pool

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.composition import Composition
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness
from tests.audit.gateway_run import Gateway

SIGNATURES = {"echo": 2, "verify": 4}
CALLERS = 32
_PAUSE = 0.05
_OK = 200


class AnotherWorker(Gateway):
    """One more worker of a gateway that is set up already."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is that of another one's set-up."""
        self.folder = folder
        self.clock, self.randomness = SystemClock(), SystemRandomness()
        self.settings = load_settings(folder / "passerelle.toml", {})
        self.composition = Composition(self.settings, self.clock, self.randomness)
        self.composition.prepare()
        self.worker = self._worker()

    def answer(self, exchanges: int) -> None:
        """So many, by turns."""

        def one(number: int) -> None:
            released = self.verify("1") if number % 2 else self.echo()
            if released.status != _OK:
                raise SystemExit(f"answered {released.status}")

        for _ in Pool(CALLERS).imap_unordered(one, range(exchanges)):
            pass
        self.worker.close()


def make(folder: Path, exchanges: int, processes: int) -> Gateway:
    """A log of so many exchanges, published as a whole; all of its writers have ended."""
    made = Gateway(folder)
    made.worker.close()
    part = exchanges // processes
    counts = [part + (exchanges - part * processes if number == 0 else 0) for number in range(processes)]
    workers = [subprocess.Popen([sys.executable, __file__, str(folder), str(count)]) for count in counts]
    while any(worker.poll() is None for worker in workers):
        made.sequence()
        time.sleep(_PAUSE)
    if any(worker.returncode for worker in workers):
        raise SystemExit("a worker has failed")
    for _ in range(3):  # what they left, the leaves that close them, and what closes those
        made.sequence()
    return made


if __name__ == "__main__":
    AnotherWorker(Path(sys.argv[1])).answer(int(sys.argv[2]))
