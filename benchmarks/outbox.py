"""`outbox_per_s`: notices that a ministry takes in a second, once it is back and thousands wait for it.

A real dispatcher's process, and the ministry's sandbox, a Python server in a process of its own: each delivery is
signed, sent over mutual TLS, acknowledged under a signature that is verified, and recorded durably with its evidence.
From the first delivery to the last; the sequencer publishes meanwhile.

    python benchmarks/outbox.py [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from figures import Figure, keep
from run import free_port

from gateway.cli.common import compose
from gateway.delivery.sealing import Sealing
from gateway.delivery.storage import Outbox
from gateway.development import Development, Ports
from gateway.notices import Notice
from gateway.settings import load_settings
from gateway.storage import open_database
from gateway.subject import DisclosedSubject
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from gateway.composition import Composition
    from gateway.storage import Database

COUNT, QUICK = 5000, 300
_LOOK_SECONDS = 0.02


def main() -> int:
    """Measures, prints, and keeps the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        count = QUICK if quick else COUNT
        rate = measured(Path(folder) / "town", count, ends)
    what = f"{count} notices that waited, delivered by one dispatcher to a sandbox on the same machine"
    keep({"outbox_per_s": Figure(round(rate, 1), "/s", 1, what)}, quick=quick)
    return 0


def measured(folder: Path, count: int, ends: ExitStack) -> float:
    """Deliveries a second."""
    clock, randomness = SystemClock(), SystemRandomness()
    ports = Ports(*(free_port() for _ in fields(Ports)))
    Development(folder, ports, clock, randomness).create(births=300, registrations=0)
    config = folder / "passerelle.toml"
    composition = compose(load_settings(config, {}))
    composition.prepare()
    database = open_database(composition.url, durable=False)
    ends.callback(database.dispose)
    fill(composition, database, count)
    for arguments in (["sandbox", "ministry"], ["serve", "--role", "sequencer"], ["serve", "--role", "dispatcher"]):
        child = subprocess.Popen([sys.executable, "-m", "gateway.cli.main", *arguments, "--config", str(config)])
        ends.callback(child.wait)
        ends.callback(child.terminate)
    began, first, at = 0.0, 0, 0
    while at < count:
        time.sleep(_LOOK_SECONDS)
        left = int(database.read_once("SELECT count(*) FROM outbox", ())[0][0])
        if began == 0.0 and left < count:
            began, first = time.perf_counter(), count - left
        at = count - left
    return (count - first) / (time.perf_counter() - began)


def fill(composition: Composition, database: Database, count: int) -> None:
    """So many notices wait, each of another child."""
    keystore, randomness, clock = composition.outbox_keystore(), SystemRandomness(), SystemClock()
    sealing, outbox = Sealing(keystore, randomness), Outbox(database, clock, randomness)
    fields = {"event": "offered", "date": "2026-11-23", "permit": "1234-5678", "region": "06"}
    with database.writing() as connection:
        for number in range(count):
            at = clock.now()
            subject = DisclosedSubject(f"{number:064x}", f"{number:063x}f")
            notice = Notice(uuid4(), uuid4(), "ministry", subject, fields, at, at + timedelta(hours=1))
            added = outbox.added(notice, sealing.line("ministry", subject.ledger), sealing.seal(notice))
            connection.exec_driver_sql(added.text, added.values)
    keystore.close()


if __name__ == "__main__":
    sys.exit(main())
