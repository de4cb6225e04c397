from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from gateway.errors import ConfigurationError, StorageUnavailableError
from gateway.guard.storage import DatabaseClaims
from gateway.guard.storage import claims as guard_storage
from gateway.guard.storage.claims import _Pending
from gateway.ledger.storage import tables
from gateway.storage import ConflictError, GroupCommit, StorageError, migrate
from gateway.storage.sqlite import SqliteDatabase
from gateway.system import SystemClock
from tests.adapters.fakes import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    return url


@pytest.fixture
def database(url: str) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(url, durable=True)
    yield database
    database.dispose()


def test_migrating_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    def schema() -> list[str]:
        connection = sqlite3.connect(tmp_path / "db.sqlite")
        rows = [str(row[0]) for row in connection.execute("SELECT sql FROM sqlite_master")]
        connection.close()
        return rows

    first = schema()
    migrate(url)
    assert schema() == first
    assert any("CREATE TABLE records" in sql for sql in first)


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_durability_is_as_asked(url: str, *, durable: bool, level: int) -> None:
    database = SqliteDatabase(url, durable=durable)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://host/db"])
def test_only_sqlite_files_are_taken(url: str) -> None:
    with pytest.raises(ConfigurationError):
        SqliteDatabase(url, durable=True)


def test_a_write_that_raises_leaves_nothing(database: SqliteDatabase) -> None:
    def write() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO subjects VALUES (x'01', 'now')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar() == 0


def test_writers_of_two_databases_wait_for_their_turn(url: str) -> None:
    both = [SqliteDatabase(url, durable=durable) for durable in (True, False)]

    def write(database: SqliteDatabase, start: int) -> None:
        for number in range(start, start + 50):
            with database.writing() as connection:
                connection.exec_driver_sql("INSERT INTO subjects VALUES (?, 'now')", (number.to_bytes(4, "big"),))

    threads = [threading.Thread(target=write, args=(database, 100 * n)) for n, database in enumerate([*both, *both])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with both[0].reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar() == 200
    for database in both:
        database.dispose()


def test_one_statement_is_in_whole_or_not_at_all(database: SqliteDatabase) -> None:
    statement = "INSERT INTO subjects VALUES (?, 'now'), (?, 'now')"
    assert database.write_once(statement, (b"1", b"2")) == 2
    with pytest.raises(ConflictError):
        database.write_once(statement, (b"3", b"1"))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar() == 2


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_one_statement_is_as_durable_as_asked(url: str, *, durable: bool, level: int) -> None:
    database = SqliteDatabase(url, durable=durable)
    database.write_once("DELETE FROM subjects", ())
    assert database._direct is not None
    assert database._direct.execute("PRAGMA synchronous").fetchone() == (level,)
    database.dispose()


def test_a_thread_can_take_its_turn_again_and_others_wait_for_its_end(url: str) -> None:
    mine, other = (SqliteDatabase(url, durable=True) for _ in range(2))
    order: list[str] = []

    def write() -> None:
        other.write_once("DELETE FROM subjects", ())
        order.append("other")

    with mine.turn:
        thread = threading.Thread(target=write)
        thread.start()
        mine.write_once("DELETE FROM subjects", ())
        thread.join(0.05)
        order.append("mine")
    thread.join()
    assert order == ["mine", "other"]
    mine.dispose()
    other.dispose()


def test_a_turn_that_cannot_be_taken_leaves_nobody_waiting() -> None:
    class NoTurn(AbstractContextManager[None]):
        def __enter__(self) -> None:
            raise OSError("no lock to be had")

        def __exit__(self, *_: object) -> None:
            raise AssertionError

    group: GroupCommit[int] = GroupCommit(lambda batch: [None for _ in batch], turn=NoTurn())
    with pytest.raises(OSError, match="no lock"):
        group.commit(1)
    assert not group._led
    assert not group._queue


def test_claims_of_one_batch_are_told_apart(url: str) -> None:
    database = SqliteDatabase(url, durable=False)
    claims = DatabaseClaims(database, SystemClock())
    until = SystemClock().now()

    def pending(nonce: bytes, salt: bytes) -> _Pending:
        return _Pending([("nonce", nonce, until), ("salt", salt, until)])

    assert claims.claim(pending(b"n1", b"s1").rows) == frozenset()
    batch = [pending(b"n2", b"s2"), pending(b"n1", b"s3"), pending(b"n3", b"s2"), pending(b"n2", b"s2")]
    claims._write(batch)
    assert [entry.taken for entry in batch] == [
        frozenset(),
        frozenset({"nonce"}),
        frozenset({"salt"}),
        frozenset({"nonce", "salt"}),
    ]
    database.dispose()


def test_a_claim_is_not_told_replayed_by_its_own_first_try(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a batch is a replay, and the database fails in the middle: the others are looked at afresh."""
    database = SqliteDatabase(url, durable=False)
    claims = DatabaseClaims(database, SystemClock())
    until = SystemClock().now()
    assert claims.claim([("nonce", b"old", until)]) == frozenset()
    batch = [_Pending([("nonce", key, until)]) for key in (b"new", b"old", b"other")]
    looked = guard_storage._taken
    calls = []

    def failing(connection: Connection, rows: object) -> frozenset[str]:
        calls.append(rows)
        if len(calls) == 2:
            raise OperationalError("busy", None, sqlite3.OperationalError())
        return looked(connection, rows)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(guard_storage, "_taken", failing)
    with pytest.raises(StorageUnavailableError):
        claims._write(batch)
    claims._write(batch)
    assert [entry.taken for entry in batch] == [frozenset(), frozenset({"nonce"}), frozenset()]
    database.dispose()


def test_a_database_carried_over_a_fork_is_refused(database: SqliteDatabase) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with database.reading():
                status = 2
        except StorageError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_group_commit_gives_each_entry_its_own_result() -> None:
    batches: list[int] = []

    def write(batch: Sequence[int]) -> list[Exception | None]:
        if len(batch) > 1 and 13 in batch:
            raise ValueError("the batch as a whole")
        if 13 in batch:
            raise KeyError(13)
        batches.append(len(batch))
        return [LookupError(str(entry)) if entry == 7 else None for entry in batch]

    group = GroupCommit(write, turn=nullcontext())
    results: dict[int, Exception | None] = {}

    def commit(entry: int) -> None:
        try:
            group.commit(entry)
        except LookupError as error:
            results[entry] = error
        else:
            results[entry] = None

    threads = [threading.Thread(target=commit, args=(entry,)) for entry in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(batches) == 31
    assert {entry: type(error) for entry, error in results.items() if error} == {7: LookupError, 13: KeyError}


def test_group_commit_puts_what_waits_into_one_batch() -> None:
    entered, go = threading.Event(), threading.Event()
    batches: list[list[int]] = []

    def write(batch: Sequence[int]) -> list[Exception | None]:
        batches.append(list(batch))
        entered.set()
        assert go.wait(5)
        return [None for _ in batch]

    group = GroupCommit(write, turn=nullcontext())
    threads = [threading.Thread(target=group.commit, args=(0,))]
    threads[0].start()
    assert entered.wait(5)
    threads += [threading.Thread(target=group.commit, args=(entry,)) for entry in range(1, 9)]
    for thread in threads[1:]:
        thread.start()
    while len(group._queue) < 8:
        threading.Event().wait(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert [sorted(batch) for batch in batches] == [[0], list(range(1, 9))]


def test_a_leader_that_is_torn_away_leaves_nobody_waiting() -> None:
    def write(batch: Sequence[int]) -> list[Exception | None]:
        raise SystemExit

    group = GroupCommit(write, turn=nullcontext())
    with pytest.raises(SystemExit):
        group.commit(1)
    assert not group._led
    assert not group._queue


def test_the_ledger_s_tables_are_those_that_the_migrations_make(database: SqliteDatabase) -> None:
    with database.reading() as connection:
        present = {
            name: {str(row[1]) for row in connection.exec_driver_sql(f"PRAGMA table_info({name})")}
            for name in ("writers", "records", "log_state", "objects")
        }
    assert present == {table.name: set(table.columns.keys()) for table in tables.METADATA.sorted_tables}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program has the database."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_a_locked_database_is_waited_for_once_and_then_by_nobody(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes after one that has waited in vain is refused at once; the first success ends that."""
    monkeypatch.setattr("gateway.storage.sqlite.PATIENCE_SECONDS", 0.2)
    insert = "INSERT INTO claims VALUES ('nonce', ?, '2026')"

    def patience() -> int:
        with database.writing() as connection:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    assert patience() == 200
    with locked(database.path):
        with pytest.raises(StorageUnavailableError):
            database.write_once(insert, (b"1",))
        assert (database._direct is not None, database._hasty is not None) == (True, False)
        with pytest.raises(StorageUnavailableError):
            database.write_once(insert, (b"2",))
        assert database._hasty is not None  # the connection that waits for nobody
        with pytest.raises(StorageUnavailableError):
            patience()
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM claims").scalar() == 0
    assert patience() == 0
    assert patience() == 200
    assert database.write_once(insert, (b"3",)) == 1


def test_group_commit_refuses_all_of_a_batch_when_there_is_no_database() -> None:
    """One after the other they would wait as often as they are many."""
    batches: list[int] = []
    error = StorageUnavailableError("locked")

    def write(batch: Sequence[int]) -> list[Exception | None]:
        batches.append(len(batch))
        raise error

    turn = threading.Lock()
    group: GroupCommit[int] = GroupCommit(write, turn=turn)  # type: ignore[arg-type]  # a lock enters as a turn does
    refused: list[Exception] = []

    def commit(number: int) -> None:
        try:
            group.commit(number)
        except StorageUnavailableError as raised:
            refused.append(raised)

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(8)]
    with turn:
        for thread in threads:
            thread.start()
        assert until(lambda: len(group._queue) == 8)
    for thread in threads:
        thread.join(5)
    assert [type(one) for one in refused] == [StorageUnavailableError] * 8
    assert len(set(map(id, refused))) == 8
    assert batches == [8]


def test_what_is_done_in_haste_waits_for_no_foreign_program(database: SqliteDatabase) -> None:
    """It is done in a worker's loop, which serves others meanwhile."""

    def work() -> None:
        database.write_once("INSERT INTO claims VALUES ('nonce', x'00', '2026')", ())

    with locked(database.path):
        assert not database._at_once(work)
    assert database._direct is None  # the connection that waits was not touched
    assert database._trouble_until == 0.0  # and nobody else is told that it was in vain
    assert database._at_once(work)


def test_a_connection_that_was_opened_read_only_is_not_kept(database: SqliteDatabase) -> None:
    """SQLite opens a file that it may not write for reading, and never looks again."""

    def insert(key: int) -> int:
        return database.write_once("INSERT INTO claims VALUES ('nonce', ?, '2026')", (bytes([key]),))

    def read_only(**_how: object) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{database.path}?mode=ro", uri=True, isolation_level=None)

    database._direct = database._hasty = read_only()
    with pytest.raises(StorageUnavailableError):
        insert(1)
    assert insert(2) == 1
    database._trouble_until = 0.0
    assert insert(3) == 1
