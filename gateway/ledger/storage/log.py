"""The log's state and the rows in their order: what the sequencer needs (DESIGN L5)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, insert, select, update

from gateway.errors import LedgerError
from gateway.ledger.rows import LogState, StoredLeaf
from gateway.ledger.storage.records import insert_records
from gateway.ledger.storage.tables import OBJECTS, PUT_OBJECT, RECORDS, STATE, WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from gateway.ledger.rows import NewRecord
    from gateway.storage import Database

_SET_INDEX = "UPDATE records SET idx = ? WHERE id = ? AND idx IS NULL"


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
            connection.execute(insert(STATE), row)
            failed = insert_records(connection, [genesis])[0]
            if failed is not None:
                raise failed
            connection.exec_driver_sql(PUT_OBJECT, sorted(objects.items()))

    def state(self) -> LogState:
        """The log as last signed; raises LedgerError where no log was begun."""
        with self._database.reading() as connection:
            state = _read_state(connection)
        if state is None:
            raise LedgerError("no log was begun in this database")
        return state

    def confirm(self) -> None:
        """A durable commit of ours: what was committed before it, confirmed or not, is durable too."""
        with self._database.writing() as connection:
            connection.execute(update(STATE).values(published_size=STATE.c.published_size))

    def rows(self, start: int, end: int) -> list[StoredLeaf]:
        """The sequenced leaves from one index up to, not with, another; raises LedgerError when one is missing."""
        table = RECORDS.c
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
        table = RECORDS.c
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
                update(STATE)
                .where(STATE.c.id == 1, STATE.c.size == state.size)
                .values(size=state.size + len(rows), checkpoint=checkpoint)
            )
            if moved.rowcount != 1:
                raise LedgerError("another sequencer has moved the log")
        return rows

    def unpublished_objects(self) -> list[tuple[str, bytes]]:
        """The objects that are in the database and not yet in the directory."""
        query = select(OBJECTS.c.sha256, OBJECTS.c.bytes).where(OBJECTS.c.published == 0)
        with self._database.reading() as connection:
            return [(row.sha256, row.bytes) for row in connection.execute(query)]

    def mark_published(self, size: int, objects: Sequence[str]) -> None:
        """Notes what the directory now holds."""
        with self._database.writing() as connection:
            connection.execute(update(STATE).values(published_size=size))
            if objects:
                connection.execute(update(OBJECTS).where(OBJECTS.c.sha256.in_(objects)).values(published=1))

    def forget_published(self, size: int) -> None:
        """The directory holds less than was noted: all objects are to be published again."""
        with self._database.writing() as connection:
            connection.execute(update(STATE).values(published_size=size))
            connection.execute(update(OBJECTS).values(published=0))

    def open_writers(self) -> list[UUID]:
        """Every writer whose row is open, dead or alive."""
        with self._database.reading() as connection:
            return [
                UUID(bytes=row.id) for row in connection.execute(select(WRITERS.c.id).where(WRITERS.c.state == "open"))
            ]

    def close_writer(self, writer: UUID, closing: Callable[[int, list[int]], NewRecord]) -> bool:
        """Closes a dead writer and adds the closing record, in one transaction; False if it was closed already.

        ``closing`` gets the highest counter and the missing ones; a writer without a leaf is closed without one.
        """
        table = RECORDS.c
        with self._database.writing() as connection:
            closed = connection.execute(
                update(WRITERS).where(WRITERS.c.id == writer.bytes, WRITERS.c.state == "open").values(state="closed")
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


def _read_state(connection: Connection, *, lock: bool = False) -> LogState | None:
    query = select(STATE.c.origin, STATE.c.size, STATE.c.checkpoint, STATE.c.published_size)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else LogState(*row)
