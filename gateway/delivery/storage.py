"""The outbox in the database: filled with an exchange's record, emptied with a delivery's.

A claim is a lease: whoever dies with it loses it by time, and the notice goes out again (at least once). Claims are
made one after the other, over all processes and machines, without a sync of their own: a lease that is lost costs a
repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway.change import Change, Statement
from gateway.delivery.rows import Claimed, Depth, Waiting, text_of, time_of
from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from gateway.notices import Notice
    from gateway.ports import Clock, Randomness
    from gateway.storage import Database

_INSERT = (
    "INSERT INTO outbox (id, party, line, accepted, due, expires, state, content)"
    " VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT (id) DO NOTHING"
)
_EARLIER = (
    "SELECT 1 FROM outbox AS before WHERE before.line = next.line AND before.state = 'waiting'"
    " AND (before.accepted < next.accepted OR (before.accepted = next.accepted AND before.id < next.id))"
)
_NEXT = (
    "SELECT id, attempts, content FROM outbox AS next"  # noqa: S608  our own constants only
    " WHERE party = ? AND state = 'waiting' AND due <= ? AND (leased_until IS NULL OR leased_until <= ?)"
    f" AND NOT EXISTS ({_EARLIER}) ORDER BY due, id LIMIT ?"
)
_DUE = (
    "SELECT 1 FROM outbox WHERE party = ? AND state = 'waiting' AND due <= ?"
    " AND (leased_until IS NULL OR leased_until <= ?) LIMIT 1"
)
_LEASE = "UPDATE outbox SET lease = ?, leased_until = ? WHERE id = ?"
_DELIVERED = "DELETE FROM outbox WHERE id = ?"
_LATER = (
    "UPDATE outbox SET due = ?, attempts = attempts + 1, reason = ?, lease = NULL, leased_until = NULL"
    " WHERE id = ? AND lease = ?"
)
_BURIED = (
    "UPDATE outbox SET state = 'dead', attempts = attempts + ?, reason = ?, lease = NULL, leased_until = NULL"
    " WHERE id = ? AND lease = ?"
)
_RETURN = "UPDATE outbox SET lease = NULL, leased_until = NULL WHERE id = ? AND lease = ?"
_RESENT = (
    "UPDATE outbox SET state = 'waiting', due = ?, expires = ?, attempts = 0, content = ?"
    " WHERE id = ? AND state = 'dead'"
)
_DROPPED = "DELETE FROM outbox WHERE id = ? AND state = 'dead'"
# as it was read: whoever can open it may have sealed it anew meanwhile
_DROPPED_UNREAD = "DELETE FROM outbox WHERE id = ? AND content = ?"
_COLUMNS = "SELECT id, party, state, accepted, due, expires, attempts, reason, leased_until FROM outbox"
_DEPTHS = (
    "SELECT party, COUNT(*) FILTER (WHERE state = 'waiting'),"
    " COUNT(*) FILTER (WHERE state = 'waiting' AND attempts > 0), COUNT(*) FILTER (WHERE state = 'dead'),"
    " MIN(accepted) FILTER (WHERE state = 'waiting') FROM outbox GROUP BY party ORDER BY party"
)


class Outbox:
    """delivery.accepting.Queue, delivery.delivering.Rows and what an operator sees, over one database."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        """Claims need no ``durable`` database; what is changed comes as a Change, for whoever records it."""
        self._database = database
        self._clock = clock
        self._randomness = randomness

    # with the record of an exchange or of a delivery

    @staticmethod
    def added(notice: Notice, line: bytes, content: bytes) -> Statement:
        """A notice that waits from now on."""
        at = text_of(notice.accepted)
        row = (notice.delivery.bytes, notice.addressee, line, at, at, text_of(notice.expires), content)
        return Statement(_INSERT, row, rows=None)

    @staticmethod
    def delivered(claimed: Claimed) -> Change:
        """It is out, whoever holds it by now: its addressee has it."""
        return _change(Statement(_DELIVERED, (claimed.delivery.bytes,), rows=None))

    @staticmethod
    def later(claimed: Claimed, due: datetime, reason: str) -> Change:
        """It is to be tried again; changes nothing where the lease was lost."""
        values = (text_of(due), reason, claimed.delivery.bytes, claimed.lease.bytes)
        return _change(Statement(_LATER, values, rows=None))

    @staticmethod
    def buried(claimed: Claimed, reason: str, *, asked: bool) -> Change:
        """It is a dead letter, until a person decides; a conflict where the lease was lost: then it is not dead."""
        values = (int(asked), reason, claimed.delivery.bytes, claimed.lease.bytes)
        return _change(Statement(_BURIED, values, rows=1))

    @staticmethod
    def resent(delivery: UUID, due: datetime, expires: datetime, content: bytes) -> Change:
        """A dead letter waits again; a conflict where it is none any more."""
        values = (text_of(due), text_of(expires), content, delivery.bytes)
        return _change(Statement(_RESENT, values, rows=1))

    @staticmethod
    def dropped(delivery: UUID) -> Change:
        """A dead letter is given up; a conflict where it is none any more."""
        return _change(Statement(_DROPPED, (delivery.bytes,), rows=1))

    @staticmethod
    def dropped_unread(delivery: UUID, content: bytes) -> Change:
        """A notice that does not open is given up, dead or not; a conflict where it is not the same any more."""
        return _change(Statement(_DROPPED_UNREAD, (delivery.bytes, content), rows=1))

    # a dispatcher's

    def claim(self, party: str, most: int, lease: timedelta) -> list[Claimed]:
        """Some that are due, those first that have been for longest, of each child the first only.

        So what fails alone goes to the end, and holds nobody up. Raises StorageUnavailableError.
        """
        now = self._clock.now()
        name, until, at = self._randomness.uuid(), text_of(now + lease), text_of(now)
        if not self._database.read_once(_DUE, (party, at, at)):
            return []  # looked for several times a second: nobody who writes waits for that
        with self._database.writing(alone=True) as connection:
            rows = connection.exec_driver_sql(_NEXT, (party, at, at, most)).all()
            for row in rows:
                connection.exec_driver_sql(_LEASE, (name.bytes, until, bytes(row[0])))
        return [Claimed(UUID(bytes=bytes(key)), attempts, name, bytes(content)) for key, attempts, content in rows]

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        """What was claimed and not begun: whoever comes next may have it at once."""
        with self._database.writing() as connection:
            for one in claimed:
                connection.exec_driver_sql(_RETURN, (one.delivery.bytes, one.lease.bytes))

    def put_off(self, claimed: Claimed, due: datetime, reason: str) -> None:
        """It is tried again later, and what waits behind it before; without a record, since nothing is known of it."""
        with self._database.writing() as connection:
            values = (text_of(due), reason, claimed.delivery.bytes, claimed.lease.bytes)
            connection.exec_driver_sql(_LATER, values)

    # an operator's

    def depths(self) -> list[Depth]:
        """What waits, by party; parties for whom nothing does are not there."""
        return [
            Depth(party, waiting, failing, dead, None if oldest is None else time_of(oldest))
            for party, waiting, failing, dead, oldest in self._database.read_once(_DEPTHS, ())
        ]

    def listed(self, limit: int, party: str | None = None, *, dead: bool = False) -> list[Waiting]:
        """What is in the outbox, the oldest first; with ``dead``, the dead letters alone."""
        wanted = [("party = ?", party)] if party is not None else []
        wanted += [("state = ?", "dead")] if dead else []
        where = " WHERE " + " AND ".join(text for text, _ in wanted) if wanted else ""
        query = f"{_COLUMNS}{where} ORDER BY accepted, id LIMIT ?"
        return [_waiting(row) for row in self._database.read_once(query, (*(value for _, value in wanted), limit))]

    def one(self, delivery: UUID) -> tuple[Waiting, bytes] | None:
        """One notice with its sealed content; None where it is not here, or not any more."""
        rows = self._database.read_once(f"{_COLUMNS} WHERE id = ?", (delivery.bytes,))
        content = self._database.read_once("SELECT content FROM outbox WHERE id = ?", (delivery.bytes,))
        return (_waiting(rows[0]), bytes(content[0][0])) if rows and content else None


def _change(statement: Statement) -> Change:
    return Change((statement,), Code.SUBJECTS_CHANGED, alone=False)


def _waiting(row: Sequence[Any]) -> Waiting:
    key, party, state, accepted, due, expires, attempts, reason, until = row
    times = (time_of(accepted), time_of(due), time_of(expires))
    leased = None if until is None else time_of(until)
    return Waiting(UUID(bytes=bytes(key)), party, state, *times, attempts, reason, leased)
