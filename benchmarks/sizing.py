"""`python benchmarks/sizing.py`: how much disk an exchange takes, measured on a running gateway (docs/sizing.md).

A gateway with its sequencer, its workers and the sandbox registry answers so many exchanges of one operation; what its
folders have grown by is divided by their number. Then the database is purged, as it is a day later. Blocks on the disk
are counted (``du``), not lengths. With ``--svg FILE`` the growth over a year is drawn.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure, keep
from run import Requests, await_port, free_port, load, server, write

from gateway.composition import Composition
from gateway.development import Development, Ports
from gateway.ledger.purge import Purge
from gateway.ledger.reader import LogReader
from gateway.ledger.storage import Purging
from gateway.places import DATABASE
from gateway.settings import load_settings
from gateway.storage import open_database
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from gateway.settings import Settings

CALLS = 8
#: Exchanges to begin with, and those that are counted.
FULL, QUICK = (600, 2400), (100, 300)
GIB = 1 << 30
MILLION = 1_000_000
MINUTES_A_YEAR = 60 * 24 * 365
RATES = (1, 10, 100)
KINDS = {"nirec.verify": "confirmed.json", "echo": "echo.json"}
_BLOCK = 512


@dataclass(frozen=True)
class Sizes:
    """Bytes on the disk, at one moment; of an exchange, once two are subtracted and divided."""

    evidence: float
    tiles: float
    objects: float
    database: float
    wal: float
    logs: float

    def since(self, before: Sizes, count: int) -> Sizes:
        """What each of ``count`` exchanges added."""
        return Sizes(*((now - then) / count for now, then in zip(self._all(), before._all(), strict=True)))

    def _all(self) -> tuple[float, ...]:
        return (self.evidence, self.tiles, self.objects, self.database, self.wal, self.logs)


class Operation(Requests):
    """Fresh signed requests of one operation."""

    def __init__(self, folder: Path, scratch: Path, operation: str) -> None:
        super().__init__(folder, scratch)
        self._operation = operation
        fields = folder / "requests" / KINDS[operation]
        self._fields = json.loads(fields.read_text("utf-8")) if fields.exists() else {"message": "bonjour"}

    def file(self, count: int) -> Path:
        """A file of ``count`` of them."""
        salted = self._operation != "echo"
        signed = (self._client.prepare(self._operation, self._fields, salted=salted) for _ in range(count))
        return write(self._scratch / "requests", signed, self._host)


def blocks(path: Path) -> int:
    """Bytes on the disk of a file or of everything below a folder; 0 where nothing is."""
    if not path.exists():
        return 0
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(item.stat().st_blocks * _BLOCK for item in files)


def used(database: Path) -> int:
    """Bytes of the database's pages that hold something; the others are used again before the file grows."""
    with closing(sqlite3.connect(database)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def measured(settings: Settings) -> Sizes:
    """What a gateway's folders hold now."""
    folders = settings.folders
    return Sizes(
        evidence=blocks(folders.log / "evidence"),
        tiles=blocks(folders.log / "tile"),
        objects=blocks(folders.log / "objects"),
        database=used(folders.db / DATABASE),
        wal=blocks(folders.db / f"{DATABASE}-wal"),
        logs=blocks(folders.logs),
    )


def settle(settings: Settings, composition: Composition) -> None:
    """Waits until everything is sequenced."""
    while composition.backlog():
        time.sleep(0.1)
    time.sleep(1)
    with closing(sqlite3.connect(settings.folders.db / DATABASE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def purge(settings: Settings, composition: Composition) -> None:
    """As a day later."""
    database = open_database(composition.url, durable=False)
    rows, reader = Purging(database), LogReader(settings.folders.log, composition.log_key())
    pace = Purge(rows, settings.folders.log, reader, timedelta(microseconds=1))
    try:
        while pace.step(SystemClock().now()):
            pass
    finally:
        database.dispose()


def measure(operation: str, scratch: Path, warm: int, count: int) -> dict[str, float]:
    """Bytes an exchange of one operation, by where they lie."""
    folder = scratch / operation
    folder.mkdir()
    ports = Ports(free_port(), free_port(), free_port(), free_port())
    Development(folder, ports, SystemClock(), SystemRandomness()).create(births=100)
    config, party = folder / "passerelle.toml", folder / "sandbox" / "parties" / "cooperative"
    settings = load_settings(config, {})
    composition = Composition(settings, SystemClock(), SystemRandomness())
    requests = Operation(party, scratch, operation)
    with ExitStack() as stack:
        sandbox = subprocess.Popen([sys.executable, "-m", "gateway.cli.main", "sandbox", "civil-registry",
                                    "--config", str(config)], stderr=subprocess.DEVNULL)  # fmt: skip
        stack.callback(sandbox.wait)
        stack.callback(sandbox.terminate)
        await_port(ports.registry)
        stack.enter_context(server("soap", config, ports.gateway))
        load(ports.gateway, 4, party, requests.file(warm))
        settle(settings, composition)
        before = measured(settings)
        load(ports.gateway, 4, party, requests.file(count))
        settle(settings, composition)
        each = measured(settings).since(before, count)
        sizes = vars(each) | {"receipt": receipt(config, party, operation)}
    full = used(settings.folders.db / DATABASE)
    purge(settings, composition)
    return sizes | {"purged": each.database - (full - used(settings.folders.db / DATABASE)) / (warm + count)}


def receipt(config: Path, party: Path, operation: str) -> float:
    """What a caller keeps of an exchange: the answer, its signature, its proof."""
    data = party / "requests" / KINDS[operation]
    if not data.exists():
        data = party / "requests" / "sizing.json"
        data.write_text('{"message": "bonjour"}', encoding="utf-8")
    folder = config.parent
    command = [sys.executable, "-m", "gateway.cli.main", "call", operation, "--as", party.name, "--data", str(data)]
    before = blocks(folder / "receipts")
    for _ in range(CALLS):
        subprocess.run([*command, "--dir", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return (blocks(folder / "receipts") - before) / CALLS


def report(found: dict[str, dict[str, float]]) -> None:
    """GiB a million exchanges, and GiB a year."""
    rows = {
        "log: evidence": "evidence", "log: tiles and leaves": "tiles", "database, first day": "database",
        "database, purged": "purged", "write-ahead log": "wal", "JSON logs": "logs", "receipts, callers": "receipt",
    }  # fmt: skip
    print(f"{'GiB per million':26}" + "".join(f"{kind:>16}" for kind in found))
    for title, name in rows.items():
        print(f"{title:26}" + "".join(f"{sizes[name] * MILLION / GIB:16.2f}" for sizes in found.values()))
    print(f"\n{'GiB a year, kept':26}" + "".join(f"{kind:>16}" for kind in found))
    for rate in RATES:
        years = [kept(sizes) * rate * MINUTES_A_YEAR / GIB for sizes in found.values()]
        print(f"{rate:4} a minute{'':15}" + "".join(f"{year:16.1f}" for year in years))


def kept(sizes: dict[str, float]) -> float:
    """Bytes an exchange that stay at the gateway: the log's directory, and the purged database."""
    return sizes["evidence"] + sizes["tiles"] + sizes["purged"]


def draw(each: float, target: Path) -> None:
    """The growth of a year at each rate, on a scale of powers of ten."""
    width, height, left, bottom, top = 640, 360, 60, 320, 20
    low, high = -1, 3
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]

    def across(month: float) -> float:
        return left + month / 12 * (width - left - 110)

    def up(gib: float) -> float:
        from math import log10  # noqa: PLC0415  drawing only

        return bottom - (log10(max(gib, 10**low)) - low) / (high - low) * (bottom - top)

    for power in range(low, high + 1):
        y = up(10.0**power)
        parts.append(f'<path d="M{left} {y:.1f}H{across(12):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} GiB</text>')
    parts += [f'<text x="{across(month):.1f}" y="{bottom + 18}" text-anchor="middle">{month}</text>'
              for month in range(0, 13, 2)]  # fmt: skip
    parts.append(f'<text x="{across(6):.1f}" y="{bottom + 34}" text-anchor="middle">mois / months</text>')
    for rate, colour in zip(RATES, ("#2a7", "#27a", "#a42"), strict=True):
        points = [(month / 4, each * rate * MINUTES_A_YEAR * month / 48 / GIB) for month in range(1, 49)]
        line = " ".join(f"{across(month):.1f},{up(gib):.1f}" for month, gib in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{across(12) + 6:.1f}" y="{up(points[-1][1]) + 4:.1f}" fill="{colour}">{rate} / min</text>'
        )
    target.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def main() -> None:
    """Measures, prints, keeps, and draws where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        size = QUICK if asked.quick else FULL
        found = {operation: measure(operation, Path(scratch), *size) for operation in KINDS}
    report(found)
    keep(
        {
            f"sizing_{operation.replace('.', '_')}_{where}": Figure(
                round(sizes[where] * MILLION / GIB, 2), "GiB", 1, f"{text}, a million exchanges of {operation}"
            )
            for operation, sizes in found.items()
            for where, text in (("evidence", "sealed evidence"), ("tiles", "tiles and leaves"), ("purged", "database"))
        },
        quick=asked.quick,
    )
    if asked.svg:
        draw(kept(found["nirec.verify"]), asked.svg)


if __name__ == "__main__":
    main()
