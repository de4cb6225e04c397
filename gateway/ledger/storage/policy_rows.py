"""The acts about the policy, as rows (DESIGN P1, P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from gateway.ledger.leaf import KINDS
from gateway.ledger.rows import StoredLeaf
from gateway.ledger.storage.records import insert_records
from gateway.ledger.storage.tables import OBJECTS, PUT_OBJECT, RECORDS, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from gateway.ledger.rows import NewRecord
    from gateway.storage import Database

_ACT_KINDS = (KINDS["genesis"], KINDS["policy"])
_NEWEST_ACT = f"""
SELECT acts.number, acts.newest, records.leaf
FROM (SELECT count(*) AS number, max(id) AS newest FROM records WHERE kind IN {_ACT_KINDS}) AS acts
LEFT JOIN records ON records.id = acts.newest
"""  # noqa: S608 - our own constants only


class PolicyRows:
    """The genesis and the acts about the policy: few, and looked at often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: How whoever reads waits for this database.
        self.waiting = database.waiting

    def newest(self) -> tuple[object, ...]:
        """How many there are, and the newest one's row and leaf: what differs when one was added or taken away."""
        return tuple(self._database.read_once(_NEWEST_ACT, ())[0])

    def all(self) -> list[StoredLeaf]:
        """All of them, in the order of their rows."""
        with self._database.reading() as connection:
            return _acts_after(connection, None)

    def object(self, digest: str) -> bytes | None:
        """The bytes that stand under this hex SHA-256, whatever they are."""
        with self._database.reading() as connection:
            return connection.execute(select(OBJECTS.c.bytes).where(OBJECTS.c.sha256 == digest)).scalar()

    def add(
        self, seen: int | None, make: Callable[[Sequence[StoredLeaf]], NewRecord], objects: Mapping[str, bytes]
    ) -> None:
        """Adds one act and the objects that it names, in one transaction.

        ``make`` gets the acts after the row ``seen``, or all of them, and may raise: then nothing is changed.
        Raises NotRecordedError where its writer has been closed.
        """
        with self._database.writing() as connection:
            # one after the other, on any number of machines: an act's row comes after those that it rests on
            connection.execute(select(STATE.c.id).with_for_update())
            failed = insert_records(connection, [make(_acts_after(connection, seen))])[0]
            if failed is not None:
                raise failed
            if objects:
                connection.exec_driver_sql(PUT_OBJECT, sorted(objects.items()))


def _acts_after(connection: Connection, row: int | None) -> list[StoredLeaf]:
    table = RECORDS.c
    query = select(table.id, table.idx, table.leaf, table.record).where(table.kind.in_(_ACT_KINDS))
    if row is not None:
        query = query.where(table.id > row)
    return [StoredLeaf(*found) for found in connection.execute(query.order_by(table.id))]
