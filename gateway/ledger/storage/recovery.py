"""The ledger's rows, put back from the published log, in one transaction (DESIGN L7)."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import RecoveryError
from gateway.ledger.encoding import period_of, timestamp
from gateway.ledger.leaf import KINDS
from gateway.ledger.rows import LogState
from gateway.ledger.storage.records import insert_records
from gateway.ledger.storage.tables import OBJECTS, RECORDS, STATE, WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.rows import NewRecord
    from gateway.storage import Database

_ROLE = "recovered"


class Recovery:
    """Puts rows back into a database that nobody else uses; what it holds is never overwritten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def begun(self) -> Iterator[Putting]:
        """One transaction: everything is in when the block ends, and nothing where it raises."""
        with self._database.writing(alone=True) as connection:
            yield Putting(connection)


class Putting:
    """The rows that are there, and those that are put beside them; ``added``, ``found`` count them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.counts: Counter[str] = Counter()
        waiting = connection.execute(select(RECORDS.c.leaf, RECORDS.c.id).where(RECORDS.c.idx.is_(None)))
        self._waiting: dict[bytes, int] = {bytes(row.leaf): row.id for row in waiting}
        self._writers = set(connection.execute(select(WRITERS.c.id)).scalars())

    @property
    def waiting(self) -> tuple[bytes, ...]:
        """The leaves that have no place in the log yet: the sequencer will give them theirs."""
        return tuple(self._waiting)

    def state(self) -> LogState | None:
        """The log as the database last signed it; None for a database without a log."""
        row = self._connection.execute(
            select(STATE.c.origin, STATE.c.size, STATE.c.checkpoint, STATE.c.published_size)
        ).one_or_none()
        return None if row is None else LogState(*row)

    def leaves(self, start: int, leaves: Sequence[tuple[bytes, Leaf, bytes | None]]) -> None:
        """The leaves from this index on, each as bytes and fields, with its record, None where it was purged.

        Raises RecoveryError where another leaf stands at one of these places, or one of them elsewhere.
        """
        here = RECORDS.c.idx
        query = select(here, RECORDS.c.leaf).where(here >= start, here < start + len(leaves))
        there = {row.idx: bytes(row.leaf) for row in self._connection.execute(query)}
        fresh: list[dict[str, Any]] = []
        for index, (packed, leaf, record) in enumerate(leaves, start):
            if (present := there.get(index)) is not None:
                if present != packed:
                    raise RecoveryError("recover_forked", index=index)
            elif (row := self._waiting.pop(packed, None)) is not None:
                self._connection.execute(update(RECORDS).where(RECORDS.c.id == row).values(idx=index))
                self.counts["found"] += 1
            else:
                self._writer(leaf.writer, leaf.period, leaf.time, _ROLE)
                fresh.append(_row(index, packed, leaf, record))
        if fresh:
            try:
                self._connection.execute(insert(RECORDS), fresh)
            except IntegrityError:
                raise RecoveryError("recover_forked", index=start) from None
            self.counts["added"] += len(fresh)

    def tell(self, record: NewRecord, at: datetime) -> None:
        """One more record, which waits for its place, of a writer that the database does not know."""
        self._writer(record.writer, period_of(at), at, "command")
        failed = insert_records(self._connection, [record])[0]
        if failed is not None:
            raise failed

    def _writer(self, writer: UUID, period: int, at: datetime, role: str) -> None:
        if writer.bytes in self._writers:
            return
        # open, as it was: a writer that no closing leaf names is dead, and the sequencer closes it with one (L4)
        row = {"id": writer.bytes, "period": period, "role": role, "state": "open", "opened_at": timestamp(at)}
        self._connection.execute(insert(WRITERS), row)
        self._writers.add(writer.bytes)

    def close(self, writers: Sequence[UUID]) -> None:
        """The writers that the log says are closed."""
        for writer in writers:
            self._connection.execute(update(WRITERS).where(WRITERS.c.id == writer.bytes).values(state="closed"))

    def objects(self, objects: Mapping[str, bytes]) -> None:
        """Objects by their hex SHA-256, as the directory has them."""
        known = set(self._connection.execute(select(OBJECTS.c.sha256)).scalars())
        fresh = [{"sha256": name, "bytes": data, "published": 1} for name, data in objects.items() if name not in known]
        if fresh:
            self._connection.execute(insert(OBJECTS), fresh)
        self.counts["objects"] += len(fresh)

    def finish(self, origin: str, size: int, checkpoint: bytes) -> None:
        """The log's state is that of this checkpoint; raises RecoveryError where the database holds more leaves."""
        beyond = select(func.count()).select_from(RECORDS).where(RECORDS.c.idx >= size)
        if self._connection.execute(beyond).scalar_one():
            raise RecoveryError("recover_forked", index=size)
        values = {"origin": origin, "size": size, "checkpoint": checkpoint, "published_size": size}
        if self._connection.execute(update(STATE).where(STATE.c.id == 1).values(**values)).rowcount != 1:
            self._connection.execute(insert(STATE), values | {"id": 1})


def _row(index: int, packed: bytes, leaf: Leaf, record: bytes | None) -> dict[str, Any]:
    # whose exchange it was stands in the sealed record alone
    return {
        "exchange_id": leaf.exchange_id.bytes,
        "kind": KINDS[leaf.kind],
        "party": None,
        "time": timestamp(leaf.time),
        "leaf": packed,
        "writer": leaf.writer.bytes,
        "counter": leaf.counter,
        "idx": index,
        "record": record,
    }
