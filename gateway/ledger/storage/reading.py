"""Records out, by what they are known by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gateway.ledger.encoding import parse_timestamp
from gateway.ledger.leaf import KINDS
from gateway.ledger.rows import RecordedLeaf
from gateway.ledger.storage.tables import RECORDS

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.storage import Database


class Lookup:
    """Records out, by what they are known by."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, kind: int, exchange_id: UUID) -> RecordedLeaf | None:
        """The leaf of this kind with this exchange id."""
        table = RECORDS.c
        query = select(table.leaf, table.time, table.party, table.idx).where(
            table.kind == kind, table.exchange_id == exchange_id.bytes
        )
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else RecordedLeaf(row.leaf, parse_timestamp(row.time), row.party, row.idx)

    def answered(self, exchange_id: UUID) -> RecordedLeaf | None:
        """The leaf of a recorded exchange or refusal (gateway.ports.RecordFinder)."""
        return self.find(KINDS["exchange"], exchange_id) or self.find(KINDS["refusal"], exchange_id)

    def waiting(self) -> int:
        """How many records are not sequenced yet."""
        query = select(func.count()).select_from(RECORDS).where(RECORDS.c.idx.is_(None))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())
