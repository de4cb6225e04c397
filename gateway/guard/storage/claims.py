"""Claims and first refusals in the database, seen by every worker.

A claim is committed before step 5 without a sync of its own; the record's durable commit flushes it, since both
go through one write-ahead log (L4). After a power loss, a server's crash or its standby's promotion, signatures made
before it are refused (``lost_before``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.storage import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from gateway.ports import Clock
    from gateway.storage import Database

_Rows = list[tuple[str, bytes, datetime]]
_INSERT = "INSERT INTO claims (kind, key, expires) VALUES "
_ROW = "(?,?,?)"
_KEEP = " ON CONFLICT DO NOTHING RETURNING kind, key"
_GRACE = timedelta(hours=1)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")
_RESTORED = b"restored"
_RUNS = "SELECT key, expires FROM claims WHERE kind = 'boot'"


class _Pending:
    """One request's rows, and afterwards the kinds that were taken already."""

    __slots__ = ("rows", "taken")

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows
        self.taken: frozenset[str] = frozenset()


class DatabaseClaims:
    """guard.claims.ClaimStore over a Database with ``durable=False``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._group = database.group(self._write, eager=True)
        self._lost_before = self._begun()

    def claim(self, rows: Sequence[tuple[str, bytes, datetime]]) -> frozenset[str]:
        """Inserts the rows; the kinds that were there already."""
        pending = _Pending(list(rows))
        self._group.commit(pending)
        return pending.taken

    def _write(self, batch: Sequence[_Pending]) -> Sequence[Exception | None]:
        # in one order, so that two machines with the same keys wait for each other and not in a ring
        rows = sorted(row for pending in batch for row in pending.rows)
        try:
            self._database.write_once(_INSERT + ",".join([_ROW] * len(rows)), _values(rows))
        except ConflictError:
            # a key is there already, or twice in this batch: nothing is in, and each request is looked at alone
            # in one transaction: if it fails, none of them is in, and none finds its own rows when it tries again
            with self._database.writing() as connection:
                taken = [_taken(connection, pending.rows) for pending in batch]
            for pending, kinds in zip(batch, taken, strict=True):
                pending.taken = kinds
        return [None] * len(batch)

    def first_refusal(self, key: bytes, minute: str, exchange_id: UUID) -> UUID:
        """The exchange id kept for this key and minute; the given one if there was none."""
        return self._database.waiting.blocking(lambda: self._first_refusal(key, minute, exchange_id))

    def _first_refusal(self, key: bytes, minute: str, exchange_id: UUID) -> UUID:
        with self._database.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO first_refusals (key, minute, exchange_id) VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (key, minute, exchange_id.bytes),
            )
            query = "SELECT exchange_id FROM first_refusals WHERE key = ? AND minute = ?"
            kept = connection.exec_driver_sql(query, (key, minute)).scalar_one()
        return UUID(bytes=bytes(kept))

    def lost_before(self) -> datetime | None:
        """When the present run of the machine, or of its server, began; None for a database that knows no earlier one.

        Asked before a claim and after it: a server may have been lost, and its standby promoted, in between.
        """
        if self._database.connected != self._connected:
            self._lost_before = self._database.waiting.blocking(self._begun)
        return self._lost_before

    def expire(self) -> None:
        """Forgets claims that no window needs any more, and the first refusals of past days."""
        # an hour's grace: a clock that was set forward and back again must not open a window for replays
        now = self._clock.now() - _GRACE
        with self._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM claims WHERE kind <> 'boot' AND expires < ?", (_text(now),))
            connection.exec_driver_sql("DELETE FROM first_refusals WHERE minute < ?", (now.strftime("%Y-%m-%d"),))

    def _begun(self) -> datetime | None:
        self._connected = self._database.connected
        key, began = self._database.run(self._clock.now()) or self._machine()
        runs = self._runs()
        if key not in runs:
            with self._database.writing() as connection:
                connection.exec_driver_sql(f"{_INSERT}(?,?,?) ON CONFLICT DO NOTHING", ("boot", key, _text(began)))
            runs = self._runs()
        return runs[key] if len(runs) > 1 else None

    def refuse_earlier(self) -> None:
        """Claims made up to now may have been lost with their database: signatures made before are refused (L4)."""
        now = self._clock.now()
        key, _ = self._database.run(now) or self._machine()
        with self._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM claims WHERE kind = 'boot'")
            for run in (_RESTORED, key):
                connection.exec_driver_sql(f"{_INSERT}(?,?,?)", ("boot", run, _text(now)))
        self._lost_before = self._begun()

    def _machine(self) -> tuple[bytes, datetime]:
        boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else "unknown"
        return boot.encode(), self._clock.now() - _uptime()

    def _runs(self) -> dict[bytes, datetime]:
        with self._database.reading() as connection:
            rows = connection.exec_driver_sql(_RUNS).all()
        return {bytes(key): datetime.strptime(began, _FORMAT).replace(tzinfo=UTC) for key, began in rows}


def _uptime() -> timedelta:
    """How long this machine runs: what it lost, it lost before."""
    try:
        return timedelta(seconds=float(_UPTIME.read_text(encoding="ascii").split()[0]))
    except (OSError, ValueError, IndexError):
        return timedelta(0)


def _taken(connection: Connection, rows: _Rows) -> frozenset[str]:
    statement = _INSERT + ",".join([_ROW] * len(rows)) + _KEEP
    fresh = {(kind, bytes(key)) for kind, key in connection.exec_driver_sql(statement, _values(rows))}
    return frozenset(kind for kind, key, _ in rows if (kind, key) not in fresh)


_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def _values(rows: _Rows) -> tuple[object, ...]:
    return tuple(value for kind, key, expires in rows for value in (kind, key, _text(expires)))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"
