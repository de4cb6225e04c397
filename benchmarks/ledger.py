"""The ledger's own speed: durable append by many threads over the database's own best, and the sequencer's leaves.

Run: `python benchmarks/ledger.py`; figures as JSON. A database's own best is the same task with nothing of ours: 32
threads that each wait until their row is durable, and one that writes what has come, with the driver alone, in one
durable transaction; of PostgreSQL also 32 connections that each commit their own, if that is faster. `one_thread` is
what the database takes in batches of 32 where nobody waits for anybody: no service can have it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.storage import is_postgresql
from tests.ledger.conftest import Bench
from tests.postgres.cluster import Cluster, binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ledger.rows import NewRecord

THREADS, EACH, ROUNDS = 32, 60, 5
EVIDENCE = b'{"kind":"exchange"}' + b" " * 1500
_INSERT = """
INSERT INTO records (exchange_id, kind, party, time, leaf, writer, counter, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def ours(bench: Bench) -> float:
    """Records a second through Records.commit: sealed and drafted before, so that the durable append alone counts."""
    writer = bench.writer(records := bench.records())
    rows = _rows(bench, writer)
    return _together([records.commit] * THREADS, rows)


def best(bench: Bench) -> float:
    """Rows a second that the database takes by itself, as its own many writers would best have them."""
    writer = bench.writer()
    rows = _rows(bench, writer)
    rate = _handed_over(bench, rows)
    return max(rate, _each_its_own(bench, _rows(bench, writer))) if is_postgresql(bench.url) else rate


def one_thread(bench: Bench) -> float:
    """Rows a second in batches, by one thread that hands over to nobody."""
    rows = _rows(bench, bench.writer())
    write, close = _writer(bench)
    began = time.perf_counter()
    for start in range(0, len(rows), THREADS):
        write(rows[start : start + THREADS])
    took = time.perf_counter() - began
    close()
    return len(rows) / took


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


def _together(commits: Sequence[Callable[[NewRecord], None]], rows: list[NewRecord]) -> float:
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
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(rows) / (time.perf_counter() - began)


def _handed_over(bench: Bench, rows: list[NewRecord]) -> float:
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
    rate = _together([commit] * THREADS, rows)
    handed.put(None)
    thread.join()
    close()
    return rate


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


def _each_its_own(bench: Bench, rows: list[NewRecord]) -> float:
    """Each thread has a connection, and commits its row: the server groups what it syncs."""
    connections = [psycopg.connect(bench.url, autocommit=True) for _ in range(THREADS)]

    def committing(connection: psycopg.Connection) -> Callable[[NewRecord], None]:
        return lambda row: connection.execute(_INSERT.replace("?", "%s"), _values(row)) and None

    rate = _together([committing(connection) for connection in connections], rows)
    for connection in connections:
        connection.close()
    return rate


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


def measured(make: Callable[[], str]) -> dict[str, float]:
    """Medians of several rounds, ours and the database's by turns."""
    found: dict[str, list[float]] = {"ours": [], "best": [], "one_thread": []}
    for _ in range(ROUNDS):
        for name, run in (("ours", ours), ("best", best), ("one_thread", one_thread)):
            bench = _fresh(make())
            found[name].append(run(bench))
            _ended(bench)
    return {name: median(rates) for name, rates in found.items()}


def main() -> None:
    """Prints the figures."""
    sqlite = measured(str)
    bench = _fresh("")
    figures = {
        "append_per_s_sqlite": round(sqlite["ours"]),
        "append_over_database_best_sqlite": round(sqlite["ours"] / sqlite["best"], 3),
        "append_per_s_sqlite_one_thread": round(sqlite["one_thread"]),
        "sequencer_leaves_per_s": round(sequenced(bench)),
    }
    _ended(bench)
    programs = binaries()
    if programs is not None:
        cluster = Cluster(programs, safe=True)
        try:
            postgresql = measured(cluster.make().database)
            bench = _fresh(cluster.database())
            figures |= {
                "append_per_s_postgresql": round(postgresql["ours"]),
                "append_over_database_best_postgresql": round(postgresql["ours"] / postgresql["best"], 3),
                "append_per_s_postgresql_one_thread": round(postgresql["one_thread"]),
                "sequencer_leaves_per_s_postgresql": round(sequenced(bench)),
            }
            _ended(bench)
        finally:
            cluster.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
