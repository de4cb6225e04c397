"""The ledger's own speed: durable append by many threads over the database's own best, and the sequencer's leaves.

Run: `python benchmarks/ledger.py [--quick]`. A database's own best is the same task with nothing of ours: 32
threads that each wait until their row is durable, and one that writes what has come, with the driver alone, in one
durable transaction; of PostgreSQL also 32 connections that each commit their own, if that is faster. `one_thread` is
what the database takes in batches of 32 where nobody waits for anybody: no service can have it.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg
from figures import Figure, keep

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.storage import is_postgresql
from tests.ledger.conftest import Bench
from tests.postgres.cluster import Cluster, binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ledger.rows import NewRecord

THREADS, EACH, ROUNDS, QUICK = 32, 60, 15, 2
_MICROSECONDS = 1e6
_SIDES = {"ours": "", "best": "_best", "one_thread": "_one_thread"}
EVIDENCE = b'{"kind":"exchange"}' + b" " * 1500
_INSERT = """
INSERT INTO records (exchange_id, kind, party, time, leaf, writer, counter, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True)
class Run:
    """One run: records a second, and processor time of this process a record, microseconds."""

    rate: float
    cpu_us: float


def ours(bench: Bench) -> Run:
    """Through Records.commit: sealed and drafted before, so that the durable append alone counts."""
    writer = bench.writer(records := bench.records())
    rows = _rows(bench, writer)
    return _together([records.commit] * THREADS, rows)


def best(bench: Bench) -> Run:
    """What the database takes by itself, as its own many writers would best have it."""
    writer = bench.writer()
    runs = [_handed_over(bench, _rows(bench, writer))]
    if is_postgresql(bench.url):
        runs.append(_each_its_own(bench, _rows(bench, writer)))
    return max(runs, key=lambda run: run.rate)


def one_thread(bench: Bench) -> Run:
    """In batches, by one thread that hands over to nobody."""
    rows = _rows(bench, bench.writer())
    write, close = _writer(bench)
    measure = _measured(len(rows))
    for start in range(0, len(rows), THREADS):
        write(rows[start : start + THREADS])
    run = measure()
    close()
    return run


def sequenced(bench: Bench, count: int = 4000) -> float:
    """Leaves a second from the database into the published log."""
    writer = bench.writer(records := bench.records())
    rows = _rows(bench, writer, count)
    for start in range(0, count, 200):
        records.add(rows[start : start + 200])
    sequencer = bench.sequencer()
    sequencer.start()
    began, done = time.perf_counter(), 0
    while new := sequencer.step():
        done += new
    return done / (time.perf_counter() - began)


def _rows(bench: Bench, writer: Any, count: int = THREADS * EACH) -> list[NewRecord]:
    drafts = [writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), EVIDENCE) for _ in range(count)]
    return [writer.row(draft, party="ministry", answer_base=b"b" * 300, answer_signature=b"s" * 64) for draft in drafts]


def _values(row: NewRecord) -> tuple[object, ...]:
    return (row.exchange_id.bytes, row.kind, row.party, row.time, row.leaf, row.writer.bytes, row.counter, row.record)


def _measured(records: int) -> Callable[[], Run]:
    """Begins a run of so many records; gives what ends it."""
    began, worked = time.perf_counter(), time.process_time()

    def run() -> Run:
        return Run(records / (time.perf_counter() - began), (time.process_time() - worked) / records * _MICROSECONDS)

    return run


def _together(commits: Sequence[Callable[[NewRecord], None]], rows: list[NewRecord]) -> Run:
    go = threading.Barrier(THREADS + 1)

    def work(commit: Callable[[NewRecord], None], mine: list[NewRecord]) -> None:
        go.wait()
        for row in mine:
            commit(row)

    threads = [
        threading.Thread(target=work, args=(commits[number], rows[number::THREADS])) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    go.wait()
    measure = _measured(len(rows))
    for thread in threads:
        thread.join()
    return measure()


def _handed_over(bench: Bench, rows: list[NewRecord]) -> Run:
    """Each thread hands its row to one that writes, and waits until it is durable."""
    write, close = _writer(bench)
    handed: SimpleQueue[tuple[NewRecord, threading.Lock] | None] = SimpleQueue()

    def serve() -> None:
        while (first := handed.get()) is not None:
            batch = [first]
            while not handed.empty() and (more := handed.get()) is not None:
                batch.append(more)
            write([row for row, _ in batch])
            for _, done in batch:
                done.release()

    def commit(row: NewRecord) -> None:
        done = threading.Lock()
        done.acquire()
        handed.put((row, done))
        done.acquire()

    thread = threading.Thread(target=serve)
    thread.start()
    run = _together([commit] * THREADS, rows)
    handed.put(None)
    thread.join()
    close()
    return run


def _writer(bench: Bench) -> tuple[Callable[[list[NewRecord]], None], Callable[[], None]]:
    """What writes a batch in one durable transaction, by the driver alone; and what ends it."""
    if is_postgresql(bench.url):
        server = psycopg.connect(bench.url)

        def insert(batch: list[NewRecord]) -> None:
            server.cursor().executemany(_INSERT.replace("?", "%s"), [_values(row) for row in batch])
            server.commit()

        return insert, server.close
    file = sqlite3.connect(bench.folder / "db.sqlite", isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA synchronous=FULL")

    def write(batch: list[NewRecord]) -> None:
        file.execute("BEGIN IMMEDIATE")
        file.executemany(_INSERT, map(_values, batch))
        file.execute("COMMIT")

    return write, file.close


def _each_its_own(bench: Bench, rows: list[NewRecord]) -> Run:
    """Each thread has a connection, and commits its row: the server groups what it syncs."""
    connections = [psycopg.connect(bench.url, autocommit=True) for _ in range(THREADS)]

    def committing(connection: psycopg.Connection) -> Callable[[NewRecord], None]:
        def commit(row: NewRecord) -> None:
            connection.execute(_INSERT.replace("?", "%s"), _values(row))

        return commit

    run = _together([committing(connection) for connection in connections], rows)
    for connection in connections:
        connection.close()
    return run


def _fresh(url: str) -> Bench:
    bench = Bench(Path(tempfile.mkdtemp(prefix="bench-")), url)
    bench.begin()
    return bench


def _ended(bench: Bench) -> None:
    for writer in bench.writers:
        writer.close()
    for database in bench.databases:
        database.dispose()
    bench.locks.close()
    shutil.rmtree(bench.folder)


def measured(make: Callable[[], str], rounds: int) -> dict[str, list[Run]]:
    """Several rounds; ours goes first in every other one, since the disk remembers what came just before."""
    sides = {"ours": ours, "best": best, "one_thread": one_thread}
    found: dict[str, list[Run]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 else reversed(sides):
            bench = _fresh(make())
            found[name].append(sides[name](bench))
            _ended(bench)
    return found


def figures_of(name: str, make: Callable[[], str], rounds: int) -> dict[str, Figure]:
    """A database's; ratios are medians of the rounds' own, since both sides of a round saw the same machine."""
    found = measured(make, rounds)
    pairs = list(zip(found["ours"], found["best"], strict=True))
    ratio = round(median(mine.rate / other.rate for mine, other in pairs), 3)
    work = round(median(other.cpu_us / mine.cpu_us for mine, other in pairs), 3)
    per_s = {
        f"append_per_s_{name}{end}": round(median(run.rate for run in found[side])) for side, end in _SIDES.items()
    }
    bench = _fresh(make())
    leaves = sequenced(bench)
    _ended(bench)
    return {
        f"append_over_database_best_{name}": Figure(
            ratio, "ratio", rounds, f"durable appends of {THREADS} threads over the driver's own best, {name}"
        ),
        f"append_cpu_best_over_ours_{name}": Figure(work, "ratio", rounds, "this process's processor time a record"),
        **{key: Figure(rate, "1/s", rounds, "records") for key, rate in per_s.items()},
        f"sequencer_leaves_per_s{'' if name == 'sqlite' else f'_{name}'}": Figure(
            round(leaves), "1/s", 1, f"leaves from {name} into the published log"
        ),
    }


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds = QUICK if quick else ROUNDS
    figures = figures_of("sqlite", str, rounds)
    programs = binaries()
    if programs is not None:
        cluster = Cluster(programs, safe=True).make()
        try:
            figures |= figures_of("postgresql", cluster.database, rounds)
        finally:
            cluster.close()
    keep(figures, quick=quick)


if __name__ == "__main__":
    main()
