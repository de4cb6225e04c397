"""What the database says of itself to an operator, read only and cheap enough for every scrape; commits counted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import PasserelleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Clock
    from gateway.storage import Database, Standbys, Write
    from gateway.watch.meters import Meters

T = TypeVar("T")

_WAITING = "SELECT count(*), min(time) FROM records WHERE idx IS NULL"
_STATE = "SELECT size, published_size FROM log_state"
_OUTBOX = (
    "SELECT party, COUNT(*) FILTER (WHERE state = 'waiting'),"
    " COUNT(*) FILTER (WHERE state = 'waiting' AND attempts > 0), COUNT(*) FILTER (WHERE state = 'dead'),"
    " MIN(accepted) FILTER (WHERE state = 'waiting') FROM outbox GROUP BY party ORDER BY party"
)
#: An exchange that began before has ended: what is open still, upkeep is about to call unknown.
_EFFECTS = (
    "SELECT party, COUNT(*), MIN(at) FROM intents"
    " WHERE state <> 'settled' AND (state = 'unknown' OR at < ?) GROUP BY party ORDER BY party"
)
_OPEN = "SELECT count(*) FROM writers WHERE state = 'open'"
#: Claims are counted up to here: past it the number says "many", and no scrape walks over a day of them.
MOST_CLAIMS = 200_000
_CLAIMS = f"SELECT count(*) FROM (SELECT 1 FROM claims LIMIT {MOST_CLAIMS}) AS kept"  # noqa: S608  our own constant only


@dataclass(frozen=True, slots=True)
class Letters:
    """What waits for one party; ``oldest`` is when the first of those that wait was accepted."""

    party: str
    waiting: int
    failing: int
    dead: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Effects of which nobody knows what became, of one party; ``oldest`` is when the first was announced."""

    party: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """The log as the database knows it.

    Attributes:
        oldest: the time of the oldest leaf without an index.
        standbys: those that the server's commits wait for; None where there cannot be any.
    """

    waiting: int
    oldest: datetime | None
    size: int
    published: int
    writers_open: int
    standbys: Standbys | None = None


class DatabaseWatch:
    """Reads the ledger's and the guard's tables in one transaction that waits for no writer."""

    def __init__(self, connect: Callable[[], Database], demands_standby: Callable[[], bool] = lambda: False) -> None:
        """``connect`` is called when something is first asked, and may raise.

        ``demands_standby`` says, of a server, whether it lacks one that waits for none.
        """
        self._connect = connect
        self._demands_standby = demands_standby
        self._lock = threading.Lock()
        self._opened: Database | None = None

    def read(self) -> Stored:
        """The present state; raises whatever the database raises, or PasserelleError where no log was begun."""
        with self._database().reading() as connection:
            waiting, oldest = connection.exec_driver_sql(_WAITING).one()
            state = connection.exec_driver_sql(_STATE).one_or_none()
            writers = connection.exec_driver_sql(_OPEN).scalar_one()
        if state is None:
            raise PasserelleError("no log was begun in this database")
        since = None if oldest is None else datetime.fromisoformat(oldest)
        return Stored(waiting, since, state.size, state.published_size, writers, self._standbys())

    def claims(self) -> int:
        """How many claims are kept, up to MOST_CLAIMS."""
        with self._database().reading() as connection:
            return int(connection.exec_driver_sql(_CLAIMS).scalar_one())

    def outbox(self) -> tuple[Letters, ...]:
        """What waits in the outbox, by party."""
        with self._database().reading() as connection:
            rows = connection.exec_driver_sql(_OUTBOX).all()
        return tuple(
            Letters(party, waiting, failing, dead, None if oldest is None else datetime.fromisoformat(oldest))
            for party, waiting, failing, dead, oldest in rows
        )

    def effects(self, ended: datetime) -> tuple[Unknown, ...]:
        """The effects that nobody knows, by party; ``ended``: of exchanges that began before, none is under way."""
        with self._database().reading() as connection:
            rows = connection.exec_driver_sql(_EFFECTS, (f"{ended.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",)).all()
        return tuple(Unknown(party, count, datetime.fromisoformat(oldest)) for party, count, oldest in rows)

    def close(self) -> None:
        """Gives the connections back."""
        if self._opened is not None:
            self._opened.dispose()

    def _standbys(self) -> Standbys | None:
        found = self._database().standbys()
        if found is None or not self._demands_standby():
            return found
        return replace(found, needed=max(1, found.needed))

    def _database(self) -> Database:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
        if not self._opened.is_there():
            raise PasserelleError("the database is not there")
        return self._opened


class Metered:
    """storage.Around: a database's group commits counted and timed; a batch that fails counts nothing."""

    def __init__(self, meters: Meters, clock: Clock) -> None:
        self._meters = meters
        self._clock = clock

    def __call__(self, write: Write[T]) -> Write[T]:
        """The write, metered."""

        def metered(batch: Sequence[T]) -> Sequence[Exception | None]:
            began = self._clock.monotonic()
            results = write(batch)
            self._meters.committed(len(batch), self._clock.monotonic() - began)
            return results

        return metered
