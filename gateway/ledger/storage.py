"""The ledger's tables: records and their leaves, writers, the log's state, the objects that evidence names."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from gateway.errors import LedgerError, NotRecordedError
from gateway.ledger.encoding import parse_timestamp, timestamp
from gateway.ledger.leaf import KINDS
from gateway.ledger.rows import LogState, RecordedLeaf, StoredLeaf
from gateway.storage import Database, make_change, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from gateway.ledger.rows import NewRecord

_METADATA = MetaData()
_WRITERS = Table(
    "writers",
    _METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("period", Integer),
    Column("role", Text),
    Column("state", Text),
    Column("opened_at", Text),
)
_RECORDS = Table(
    "records",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("exchange_id", LargeBinary),
    Column("kind", Integer),
    Column("party", Text),
    Column("time", Text),
    Column("leaf", LargeBinary),
    Column("writer", LargeBinary),
    Column("counter", BigInteger),
    Column("idx", BigInteger),
    Column("record", LargeBinary),
)
_STATE = Table(
    "log_state",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("origin", Text),
    Column("size", BigInteger),
    Column("checkpoint", LargeBinary),
    Column("published_size", BigInteger),
)
_OBJECTS = Table(
    "objects",
    _METADATA,
    Column("sha256", Text, primary_key=True),
    Column("bytes", LargeBinary),
    Column("published", Integer),
)
# the hot path's statements, as the driver takes them: half the cost of a compiled insert with its parameters
_INSERT = "INSERT INTO records (exchange_id, kind, party, time, leaf, writer, counter, record)"
_COLUMNS = "(?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_RECORD = f"{_INSERT} VALUES {_COLUMNS}"
_SELECT_OPEN = "SELECT 1 FROM writers WHERE id = ? AND state = 'open'"
_SET_INDEX = "UPDATE records SET idx = ? WHERE id = ? AND idx IS NULL"
_CONFLICT = "a record of this counter, or of this kind and exchange, is there already"
_CLOSED = "the writer has been closed"
_ACT_KINDS = (KINDS["genesis"], KINDS["policy"])
_NEWEST_ACT = f"SELECT count(*), max(id), leaf FROM records WHERE kind IN {_ACT_KINDS}"  # noqa: S608 - our own constants only
#: Whatever somebody may have put there before; the sequencer finds what is published already identical.
_PUT_OBJECT = "INSERT OR REPLACE INTO objects (sha256, bytes, published) VALUES (?, ?, 0)"


class Records:
    """Records in: what the writers need."""

    def __init__(self, database: Database, resolve: Callable[[str], bytes]) -> None:
        """``resolve`` gives the bytes behind the hex SHA-256 of a certificate, CRL, policy or contract."""
        self._database = database
        self._resolve = resolve
        self._known: set[str] = set()
        self._group = database.group(self.add)
        #: How whoever writes waits for this database.
        self.waiting = database.waiting

    def open_writer(self, writer: UUID, period: int, role: str, at: datetime) -> None:
        """Registers a writer; its lock must be held before."""
        row = {"id": writer.bytes, "period": period, "role": role, "state": "open", "opened_at": timestamp(at)}
        with self._database.writing() as connection:
            connection.execute(insert(_WRITERS), row)

    def commit(self, record: NewRecord) -> None:
        """Commits a record together with those of other threads; raises what kept it out."""
        self._group.commit(record)

    def add(self, batch: Sequence[NewRecord]) -> list[Exception | None]:
        """Commits all of a batch, with the objects that it names; raises when none of it is in.

        A record of a writer that the sequencer has closed is refused alone (L4). A change that cannot be made raises
        Refusal, and rolls the batch back: each record is then tried alone (gateway.storage.GroupCommit).
        """
        fresh = {name for record in batch for name in record.objects} - self._known
        writers = {record.writer.bytes for record in batch}
        changes = any(record.change is not None for record in batch)
        if not fresh and not changes and len(writers) == 1:
            return self._add_alike(batch, writers.pop())
        objects = [(name, self._resolve(name)) for name in sorted(fresh)]
        with self._database.writing() as connection:
            results = insert_records(connection, batch)
            for record, failed in zip(batch, results, strict=True):
                if record.change is not None and failed is None:
                    make_change(connection, record.change)
            if objects:
                connection.exec_driver_sql(_PUT_OBJECT, objects)
        self._known |= fresh  # after the commit only: what was rolled back is not known
        return results

    def _add_alike(self, batch: Sequence[NewRecord], writer: bytes) -> list[Exception | None]:
        """The hot path: records of one writer, which name no object that is new."""
        # one statement, so one transaction: all are in if their writer's row is open, and none otherwise
        rows = ", ".join([_COLUMNS] * len(batch))
        statement = f"{_INSERT} SELECT * FROM (VALUES {rows}) WHERE EXISTS ({_SELECT_OPEN})"  # noqa: S608 - our own constants only
        values = [value for record in batch for value in _row(record)]
        try:
            inserted = self._database.write_once(statement, (*values, writer))
        except sqlite3.IntegrityError as error:
            raise NotRecordedError(_CONFLICT) from error
        return [None if inserted else NotRecordedError(_CLOSED) for _ in batch]

    def leaf_at(self, writer: UUID, counter: int) -> bytes | None:
        """The leaf that a writer's counter stands for, if there is one."""
        query = select(_RECORDS.c.leaf).where(_RECORDS.c.writer == writer.bytes, _RECORDS.c.counter == counter)
        with self._database.reading() as connection:
            return connection.execute(query).scalar()


class Lookup:
    """Records out, by what they are known by."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, kind: int, exchange_id: UUID) -> RecordedLeaf | None:
        """The leaf of this kind with this exchange id."""
        table = _RECORDS.c
        query = select(table.leaf, table.time, table.party, table.idx).where(
            table.kind == kind, table.exchange_id == exchange_id.bytes
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else RecordedLeaf(row.leaf, parse_timestamp(row.time), row.party, row.idx)

    def answered(self, exchange_id: UUID) -> RecordedLeaf | None:
        """The leaf of a recorded exchange or refusal (gateway.ports.RecordFinder)."""
        return self.find(KINDS["exchange"], exchange_id) or self.find(KINDS["refusal"], exchange_id)

    def waiting(self) -> int:
        """How many records are not sequenced yet."""
        query = select(func.count()).select_from(_RECORDS).where(_RECORDS.c.idx.is_(None))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())


class PolicyRows:
    """The genesis and the acts about the policy: few, and looked at often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: How whoever reads waits for this database.
        self.waiting = database.waiting

    def newest(self) -> tuple[object, ...]:
        """How many there are, and the newest one's row and leaf: what differs when one was added or taken away."""
        with self._database.reading() as connection:
            return tuple(connection.exec_driver_sql(_NEWEST_ACT).one())

    def all(self) -> list[StoredLeaf]:
        """All of them, in the order of their rows."""
        with self._database.reading() as connection:
            return _acts_after(connection, None)

    def object(self, digest: str) -> bytes | None:
        """The bytes that stand under this hex SHA-256, whatever they are."""
        with self._database.reading() as connection:
            return connection.execute(select(_OBJECTS.c.bytes).where(_OBJECTS.c.sha256 == digest)).scalar()

    def add(
        self, seen: int | None, make: Callable[[Sequence[StoredLeaf]], NewRecord], objects: Mapping[str, bytes]
    ) -> None:
        """Adds one act and the objects that it names, in one transaction.

        ``make`` gets the acts after the row ``seen``, or all of them, and may raise: then nothing is changed.
        Raises NotRecordedError where its writer has been closed.
        """
        with self._database.writing() as connection:
            failed = insert_records(connection, [make(_acts_after(connection, seen))])[0]
            if failed is not None:
                raise failed
            if objects:
                connection.exec_driver_sql(_PUT_OBJECT, sorted(objects.items()))


def _acts_after(connection: Connection, row: int | None) -> list[StoredLeaf]:
    table = _RECORDS.c
    query = select(table.id, table.idx, table.leaf, table.record).where(table.kind.in_(_ACT_KINDS))
    if row is not None:
        query = query.where(table.id > row)
    return [StoredLeaf(*found) for found in connection.execute(query.order_by(table.id))]


class Log:
    """The log's state and the rows in their order: what the sequencer needs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, origin: str, genesis: NewRecord, objects: Mapping[str, bytes]) -> None:
        """Makes the state of an empty log with its first record; raises LedgerError where one was begun."""
        with self._database.writing() as connection:
            if _read_state(connection) is not None:
                raise LedgerError("this database holds a log already")
            row = {"id": 1, "origin": origin, "size": 0, "checkpoint": b"", "published_size": 0}
            connection.execute(insert(_STATE), row)
            failed = insert_records(connection, [genesis])[0]
            if failed is not None:
                raise failed
            connection.exec_driver_sql(_PUT_OBJECT, sorted(objects.items()))

    def state(self) -> LogState:
        """The log as last signed; raises LedgerError where no log was begun."""
        with self._database.reading() as connection:
            state = _read_state(connection)
        if state is None:
            raise LedgerError("no log was begun in this database")
        return state

    def rows(self, start: int, end: int) -> list[StoredLeaf]:
        """The sequenced leaves from one index up to, not with, another; raises LedgerError when one is missing."""
        table = _RECORDS.c
        query = select(table.id, table.idx, table.leaf, table.record).where(table.idx >= start, table.idx < end)
        with self._database.reading() as connection:
            rows = [StoredLeaf(*row) for row in connection.execute(query.order_by(table.idx))]
        if [row.index for row in rows] != list(range(start, end)):
            raise LedgerError(f"leaves missing between {start} and {end}")
        return rows

    def sequence(self, limit: int, sign: Callable[[LogState, Sequence[bytes]], bytes]) -> list[StoredLeaf]:
        """Gives indices to the leaves that have none, and stores the checkpoint that ``sign`` makes of them.

        One transaction (L5). ``sign`` gets the state and the new leaves, and may raise: then nothing is changed.
        Raises LedgerError when the state is not as it was read, which no sound database does.
        """
        table = _RECORDS.c
        query = select(table.id, table.leaf, table.record).where(table.idx.is_(None)).order_by(table.id).limit(limit)
        with self._database.writing() as connection:
            state = _read_state(connection, lock=True)
            if state is None:
                raise LedgerError("no log was begun in this database")
            rows = [
                StoredLeaf(row.id, state.size + offset, row.leaf, row.record)
                for offset, row in enumerate(connection.execute(query))
            ]
            if not rows:
                return []
            checkpoint = sign(state, [row.leaf for row in rows])
            connection.exec_driver_sql(_SET_INDEX, [(row.index, row.row) for row in rows])
            moved = connection.execute(
                update(_STATE)
                .where(_STATE.c.id == 1, _STATE.c.size == state.size)
                .values(size=state.size + len(rows), checkpoint=checkpoint)
            )
            if moved.rowcount != 1:
                raise LedgerError("another sequencer has moved the log")
        return rows

    def unpublished_objects(self) -> list[tuple[str, bytes]]:
        """The objects that are in the database and not yet in the directory."""
        query = select(_OBJECTS.c.sha256, _OBJECTS.c.bytes).where(_OBJECTS.c.published == 0)
        with self._database.reading() as connection:
            return [(row.sha256, row.bytes) for row in connection.execute(query)]

    def mark_published(self, size: int, objects: Sequence[str]) -> None:
        """Notes what the directory now holds."""
        with self._database.writing() as connection:
            connection.execute(update(_STATE).values(published_size=size))
            if objects:
                connection.execute(update(_OBJECTS).where(_OBJECTS.c.sha256.in_(objects)).values(published=1))

    def forget_published(self, size: int) -> None:
        """The directory holds less than was noted: all objects are to be published again."""
        with self._database.writing() as connection:
            connection.execute(update(_STATE).values(published_size=size))
            connection.execute(update(_OBJECTS).values(published=0))

    def open_writers(self) -> list[UUID]:
        """Every writer whose row is open, dead or alive."""
        with self._database.reading() as connection:
            return [
                UUID(bytes=row.id)
                for row in connection.execute(select(_WRITERS.c.id).where(_WRITERS.c.state == "open"))
            ]

    def close_writer(self, writer: UUID, closing: Callable[[int, list[int]], NewRecord]) -> bool:
        """Closes a dead writer and adds the closing record, in one transaction; False if it was closed already.

        ``closing`` gets the highest counter and the missing ones; a writer without a leaf is closed without one.
        """
        table = _RECORDS.c
        with self._database.writing() as connection:
            closed = connection.execute(
                update(_WRITERS).where(_WRITERS.c.id == writer.bytes, _WRITERS.c.state == "open").values(state="closed")
            )
            if closed.rowcount != 1:
                return False
            of_writer = table.writer == writer.bytes
            count, highest = connection.execute(select(func.count(), func.max(table.counter)).where(of_writer)).one()
            if count:
                missing: list[int] = []
                if count != highest + 1:
                    present = set(connection.execute(select(table.counter).where(of_writer)).scalars())
                    missing = [counter for counter in range(highest) if counter not in present]
                failed = insert_records(connection, [closing(highest, missing)])[0]
                if failed is not None:
                    raise failed
        return True


@contextmanager
def opened(url: str, resolve: Callable[[str], bytes]) -> Iterator[tuple[Records, Log]]:
    """The tables of a ledger for one process alone, at the newest schema; made where there are none."""
    migrate(url)
    database = Database(url, durable=True)
    try:
        yield Records(database, resolve), Log(database)
    finally:
        database.dispose()


def connected(url: str) -> tuple[Records, PolicyRows, Callable[[], None]]:
    """The tables of a ledger that others use too, for acts about the policy; the last part gives them back."""
    database = Database(url, durable=True)
    return Records(database, dict[str, bytes]().__getitem__), PolicyRows(database), database.dispose


def insert_records(connection: Connection, batch: Sequence[NewRecord]) -> list[Exception | None]:
    """Inserts the records whose writer's row is open; the others get their error.

    Raises NotRecordedError where one of them is there already, and whatever the database raises.
    """
    alive = {
        writer
        for writer in {record.writer.bytes for record in batch}
        if connection.exec_driver_sql(_SELECT_OPEN, (writer,)).scalar()
    }
    rows = [_row(record) for record in batch if record.writer.bytes in alive]
    if rows:
        try:
            connection.exec_driver_sql(_INSERT_RECORD, rows)
        except IntegrityError as error:
            raise NotRecordedError(_CONFLICT) from error
    return [None if record.writer.bytes in alive else NotRecordedError(_CLOSED) for record in batch]


def _row(record: NewRecord) -> tuple[object, ...]:
    return (
        record.exchange_id.bytes,
        record.kind,
        record.party,
        record.time,
        record.leaf,
        record.writer.bytes,
        record.counter,
        record.record,
    )


def _read_state(connection: Connection, *, lock: bool = False) -> LogState | None:
    query = select(_STATE.c.origin, _STATE.c.size, _STATE.c.checkpoint, _STATE.c.published_size)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else LogState(*row)
