"""Keys and intents in the database: seen by every worker and node, and after any crash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.change import Change, Statement
from gateway.errors import Code

if TYPE_CHECKING:
    from gateway.storage import Database

#: An exchange that began so long ago has ended, with or without its process.
SETTLED_WITHIN = timedelta(minutes=10)
_GRACE = timedelta(hours=1)
_KEPT = timedelta(days=7)

# one statement: whoever comes second waits for the first, and finds either its own message or another
_BEGIN = """
INSERT INTO effect_keys (key, message, expires) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE effect_keys.message = excluded.message
"""
_INTEND = "INSERT INTO intents (exchange_id, key, party, at, state) VALUES (?, ?, ?, ?, 'open')"
# those of the same key that had no answer are told of by this one: the other system gave it under the same key
_SETTLE = "UPDATE intents SET state = 'settled' WHERE key = ? AND state <> 'settled'"
_GIVE_UP = "UPDATE intents SET state = 'unknown' WHERE state = 'open' AND at < ? RETURNING exchange_id"
_UNSETTLED = "SELECT exchange_id, key, party, at, state FROM intents WHERE state <> 'settled' ORDER BY at"
_SETTLE_ONE = "UPDATE intents SET state = 'settled' WHERE exchange_id = ? AND state <> 'settled'"
_FORGET_INTENTS = "DELETE FROM intents WHERE state = 'settled' AND at < ?"
_FORGET_KEYS = """
DELETE FROM effect_keys WHERE expires < ?
AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.key = effect_keys.key AND intents.state <> 'settled')
"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An intent of which nobody knows what became; ``state`` is ``open`` or ``unknown``."""

    exchange_id: UUID
    key: bytes
    party: str
    at: str
    state: str


class EffectRows:
    """effects.keys.EffectStore: statements that come with records."""

    @staticmethod
    def begun(key: bytes, message: bytes, expires: datetime) -> Change:
        """The key stands for this message, as it did; a conflict where it stands for another."""
        return Change((Statement(_BEGIN, (key, message, _text(expires)), rows=1),), Code.IDEMPOTENCY_CONFLICT)

    @staticmethod
    def intended(key: bytes, exchange_id: UUID, party: str, at: datetime) -> Change:
        """This exchange is about to have an effect under the key."""
        values = (exchange_id.bytes, key, party, _text(at))
        return Change((Statement(_INTEND, values, rows=1),), Code.IDEMPOTENCY_CONFLICT)

    @staticmethod
    def settled(key: bytes) -> Change:
        """What became of every intent under the key is known."""
        return Change((Statement(_SETTLE, (key,), rows=None),), Code.SUBJECTS_CHANGED, alone=False)

    @staticmethod
    def undone(exchange_id: UUID) -> Change:
        """This exchange had no effect; where it was refused before its intent, there is nothing to settle."""
        return Change((Statement(_SETTLE_ONE, (exchange_id.bytes,), rows=None),), Code.SUBJECTS_CHANGED, alone=False)


class DatabaseEffects:
    """What upkeep and the operator do with them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsettled(self) -> list[Unsettled]:
        """Every intent of which nobody knows what became, the oldest first."""
        with self._database.reading() as connection:
            return [
                Unsettled(UUID(bytes=bytes(row[0])), bytes(row[1]), *row[2:])
                for row in connection.exec_driver_sql(_UNSETTLED)
            ]

    def give_up(self, now: datetime) -> list[UUID]:
        """Intents whose exchange has ended without an answer become ``unknown``; which ones."""
        with self._database.writing() as connection:
            rows = connection.exec_driver_sql(_GIVE_UP, (_text(now - SETTLED_WITHIN),)).all()
        return [UUID(bytes=bytes(row[0])) for row in rows]

    def expire(self, now: datetime) -> None:
        """Forgets keys whose time is over, and intents that are settled for a week."""
        with self._database.writing() as connection:
            connection.exec_driver_sql(_FORGET_KEYS, (_text(now - _GRACE),))
            connection.exec_driver_sql(_FORGET_INTENTS, (_text(now - _KEPT),))


def settled_by_hand(exchange_id: UUID) -> Change:
    """An operator says what became of it."""
    return Change((Statement(_SETTLE_ONE, (exchange_id.bytes,), rows=1),), Code.SUBJECTS_CHANGED)


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
