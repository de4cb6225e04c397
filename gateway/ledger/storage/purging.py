"""What may go from the tables once the directory holds it (DESIGN L6, L9), and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from gateway.ledger.encoding import timestamp
from gateway.ledger.leaf import KINDS, SEALED_KINDS
from gateway.ledger.rows import StoredLeaf
from gateway.ledger.storage.records import Records
from gateway.ledger.storage.tables import RECORDS
from gateway.storage import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from gateway.storage import Database

_SEALED = tuple(sorted(KINDS[kind] for kind in SEALED_KINDS))


class Purging:
    """The sealed records that the database still holds; a leaf and its clear row never go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_held(self, start: int, end: int) -> int | None:
        """The least index from ``start`` up to, not with, ``end`` whose sealed record is here; None for none."""
        table = RECORDS.c
        query = (
            select(table.idx)
            .where(table.idx >= start, table.idx < end, table.kind.in_(_SEALED), table.record.is_not(None))
            .order_by(table.idx)
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar()

    def held(self, start: int, end: int) -> list[StoredLeaf]:
        """Every leaf between the indices whose sealed record is here, in the order of the log."""
        table = RECORDS.c
        query = select(table.id, table.idx, table.leaf, table.record).where(
            table.idx >= start, table.idx < end, table.kind.in_(_SEALED), table.record.is_not(None)
        )
        with self._database.reading() as connection:
            return [StoredLeaf(*row) for row in connection.execute(query.order_by(table.idx))]

    def newer(self, start: int, end: int, than: datetime) -> bool:
        """Whether a leaf between the indices is newer than that."""
        table = RECORDS.c
        query = select(table.id).where(table.idx >= start, table.idx < end, table.time > timestamp(than)).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def forget(self, indices: Collection[int]) -> int:
        """Removes the sealed records at these indices, in one transaction; gives how many went.

        What was there is overwritten in SQLite's file too (``secure_delete``); in its write-ahead log it stands until
        that is brought into the file.
        """
        table = RECORDS.c
        statement = (
            update(RECORDS)
            .where(table.idx.in_(tuple(indices)), table.kind.in_(_SEALED), table.record.is_not(None))
            .values(record=None)
        )
        with self._database.writing() as connection:
            return int(connection.execute(statement).rowcount)

    def span(self, period: int) -> tuple[int, int] | None:
        """The first and the last index of a period's sealed kinds, as the clear rows have it; None for none."""
        table = RECORDS.c
        month = f"{period // 100:04d}-{period % 100:02d}-"
        query = select(func.min(table.idx), func.max(table.idx)).where(
            table.idx.is_not(None), table.kind.in_(_SEALED), table.time.like(f"{month}%")
        )
        with self._database.reading() as connection:
            first, last = connection.execute(query).one()
        return None if first is None else (first, last)

    def destructions(self) -> list[StoredLeaf]:
        """Every leaf of kind destruction that is sequenced, in the order of the log."""
        table = RECORDS.c
        query = select(table.id, table.idx, table.leaf, table.record).where(
            table.kind == KINDS["destruction"], table.idx.is_not(None)
        )
        with self._database.reading() as connection:
            return [StoredLeaf(*row) for row in connection.execute(query.order_by(table.idx))]


def connected_purging(url: str) -> tuple[Records, Purging, Callable[[], None]]:
    """The tables of a ledger that others use too, for destructions; the last part gives them back."""
    database = open_database(url, durable=True)
    return Records(database, dict[str, bytes]().__getitem__), Purging(database), database.dispose
