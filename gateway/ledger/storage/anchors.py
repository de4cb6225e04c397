"""What of the log no anchor has come after: for who makes them, who waits for them, who watches (DESIGN L8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gateway.ledger.encoding import parse_timestamp
from gateway.ledger.leaf import KINDS
from gateway.ledger.rows import StoredLeaf
from gateway.ledger.storage.tables import RECORDS

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.storage import Database

_ANCHOR = KINDS["anchor"]


class AnchorRows:
    """Reads alone; an anchor is written as every record is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, after: int = 0) -> StoredLeaf | None:
        """The newest anchor with a row number above ``after``; the known one's keeps the search short."""
        table = RECORDS.c
        # the number first, which an index gives: else each anchor's row would be read to find the newest
        number = select(func.max(table.id)).where(table.kind == _ANCHOR, table.id > after).scalar_subquery()
        query = select(table.id, table.idx, table.leaf, table.record).where(table.id == number)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredLeaf(*row)

    def oldest_after(self, size: int) -> datetime | None:
        """The time of the first record, anchors apart, that a tree of ``size`` leaves does not hold."""
        table = RECORDS.c
        others = table.kind != _ANCHOR
        sequenced = select(table.time).where(table.idx >= size, others).order_by(table.idx).limit(1)
        waiting = select(table.time).where(table.idx.is_(None), others).order_by(table.id).limit(1)
        with self._database.reading() as connection:
            found = connection.execute(sequenced).scalar() or connection.execute(waiting).scalar()
        return None if found is None else parse_timestamp(found)
