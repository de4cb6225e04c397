"""Records in: what the writers need (DESIGN L4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import NotRecordedError
from gateway.ledger.encoding import timestamp
from gateway.ledger.storage.tables import PUT_OBJECT, RECORDS, WRITERS
from gateway.storage import ConflictError, make_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from gateway.change import Addition
    from gateway.ledger.rows import NewRecord
    from gateway.storage import Database

# the hot path's statements, as the driver takes them: half the cost of a compiled insert with its parameters
_INSERT = "INSERT INTO records (exchange_id, kind, party, time, leaf, writer, counter, record)"
_COLUMNS = "(?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_RECORD = f"{_INSERT} VALUES {_COLUMNS}"
# one statement, so one transaction: all are in if their writer's row is open, and none otherwise
_INSERT_ALIKE = f"{_INSERT} SELECT * FROM (VALUES {{rows}}) AS fresh WHERE EXISTS ({{still_open}})"  # noqa: S608 - our own constants only
_ADD_ALIKE = "{into} SELECT * FROM (VALUES {rows}) AS added WHERE EXISTS ({still_open})"
_STILL_OPEN = "SELECT 1 FROM writers WHERE id = ? AND state = 'open'"
_CONFLICT = "a record of this counter, or of this kind and exchange, is there already"
_CLOSED = "the writer has been closed"


class Records:
    """Records in: what the writers need."""

    def __init__(self, database: Database, resolve: Callable[[str], bytes]) -> None:
        """``resolve`` gives the bytes behind the hex SHA-256 of a certificate, CRL, policy or contract."""
        self._database = database
        self._resolve = resolve
        self._known: set[str] = set()
        self._group = database.group(self.add)
        self._still_open = _STILL_OPEN + database.shared
        #: How whoever writes waits for this database.
        self.waiting = database.waiting

    def open_writer(self, writer: UUID, period: int, role: str, at: datetime) -> None:
        """Registers a writer; its lock must be held before."""
        row = {"id": writer.bytes, "period": period, "role": role, "state": "open", "opened_at": timestamp(at)}
        with self._database.writing() as connection:
            connection.execute(insert(WRITERS), row)

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
        changes = [change for record in batch for change in record.changes]
        if not fresh and not any(change.statements for change in changes) and len(writers) == 1:
            return self._add_alike(batch, writers.pop(), [row for change in changes for row in change.added])
        objects = [(name, self._resolve(name)) for name in sorted(fresh)]
        with self._database.writing(alone=any(change.alone for change in changes)) as connection:
            results = insert_records(connection, batch)
            for record, failed in zip(batch, results, strict=True):
                for change in record.changes if failed is None else ():
                    make_change(connection, change)
            if objects:
                connection.exec_driver_sql(PUT_OBJECT, objects)
        self._known |= fresh  # after the commit only: what was rolled back is not known
        return results

    def _add_alike(
        self, batch: Sequence[NewRecord], writer: bytes, added: Sequence[Addition]
    ) -> list[Exception | None]:
        """The hot path: records of one writer, which name no object that is new, and what is added with them."""
        rows = ", ".join([_COLUMNS] * len(batch))
        statement = _INSERT_ALIKE.format(rows=rows, still_open=self._still_open)
        values = [value for record in batch for value in _row(record)]
        try:
            if added:
                inserted = self._database.write_together([(statement, (*values, writer)), *self._beside(added, writer)])
            else:
                inserted = self._database.write_once(statement, (*values, writer))
        except ConflictError as error:
            raise NotRecordedError(_CONFLICT) from error
        return [None if inserted else NotRecordedError(_CLOSED) for _ in batch]

    def _beside(self, added: Sequence[Addition], writer: bytes) -> Iterator[tuple[str, tuple[object, ...]]]:
        """One statement for each table that something is added to, under the records' own condition."""
        tables: dict[str, list[tuple[object, ...]]] = {}
        for row in added:
            tables.setdefault(row.into, []).append(row.values)
        for into, rows in tables.items():
            places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
            text = _ADD_ALIKE.format(into=into, rows=places, still_open=self._still_open)
            yield text, (*(value for row in rows for value in row), writer)

    def leaf_at(self, writer: UUID, counter: int) -> bytes | None:
        """The leaf that a writer's counter stands for, if there is one, and it is durable by now.

        What is seen may have been committed without having reached the disk, or the standby: so a commit of our own
        comes after it. Raises StorageUnavailableError where that one fails too.
        """
        query = select(RECORDS.c.leaf).where(RECORDS.c.writer == writer.bytes, RECORDS.c.counter == counter)
        with self._database.writing() as connection:
            leaf: bytes | None = connection.execute(query).scalar()
            connection.execute(update(WRITERS).where(WRITERS.c.id == writer.bytes).values(role=WRITERS.c.role))
        return leaf


def insert_records(connection: Connection, batch: Sequence[NewRecord]) -> list[Exception | None]:
    """Inserts the records whose writer's row is open; the others get their error.

    Raises NotRecordedError where one of them is there already, and whatever the database raises.
    """
    alive = {writer for writer in sorted({record.writer.bytes for record in batch}) if _is_open(connection, writer)}
    rows = [_row(record) for record in batch if record.writer.bytes in alive]
    if rows:
        try:
            connection.exec_driver_sql(_INSERT_RECORD, rows)
        except IntegrityError as error:
            raise NotRecordedError(_CONFLICT) from error
    return [None if record.writer.bytes in alive else NotRecordedError(_CLOSED) for record in batch]


def _is_open(connection: Connection, writer: bytes) -> bool:
    """Whether a writer's row is open; whoever would close it waits for the end of this transaction."""
    query = select(literal(1)).where(WRITERS.c.id == writer, WRITERS.c.state == "open")
    return connection.execute(query.with_for_update(read=True)).scalar() is not None


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
