"""What the sequencer's process does beside sequencing: destroys what officers destroyed, purges what is published.

Slowly, on connections of its own: whoever answers callers never waits for it for more than one small transaction.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.batches.storage import DatabaseBatches
from gateway.effects.storage import DatabaseEffects
from gateway.errors import LedgerError
from gateway.family.storage import DatabaseNotes
from gateway.guard.storage import DatabaseBudgets, DatabaseClaims
from gateway.in_force import Follower
from gateway.ledger.destruction import recorded_destructions
from gateway.ledger.destruction_files import Destroyer
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.policy_published import PublishedActs
from gateway.ledger.purge import Purge
from gateway.ledger.reader import LogReader
from gateway.ledger.storage import PolicyRows, Purging
from gateway.policy.destruction import judge_recorded
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.verdict import read_verdict
from gateway.storage import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.ledger.destruction import RecordedDestruction
    from gateway.ledger.note import LogKey
    from gateway.policy.destruction import Allowed
    from gateway.policy.judge import InForce
    from gateway.ports import Clock, Stop
    from gateway.settings import Settings
    from gateway.storage import Database

PACE_SECONDS = 5.0
_EXPIRE_SECONDS = 600
#: What was asked stays in the ledger; here it only serves whoever was stopped in the middle of a batch.
_BATCHES_KEPT = timedelta(days=90)
_PATIENCE_SECONDS = 5.0


class Upkeep:
    """Carries out the destructions of the log, each judged anew, then purges; ``step`` it from time to time.

    What a crash interrupts is taken up by the next process, from the leaves.
    """

    def __init__(
        self,
        *,
        rows: Purging,
        reader: LogReader,
        destroyer: Destroyer,
        purge: Purge,
        history: Callable[[], Sequence[InForce]],
        forget: Callable[[int], object],
        clock: Clock,
        alarm: Callable[[Exception], None],
    ) -> None:
        """Reads nothing; ``step`` does.

        Args:
            rows: the ledger's tables.
            reader: the published log.
            destroyer: rewrites bundles.
            purge: empties rows.
            history: the policies of the log up to now, the first one first.
            forget: removes what else is kept of a period's exchanges, the families' notes.
            clock: how old a record is.
            alarm: told once of what cannot be done, until something else is wrong.
        """
        self._rows = rows
        self._reader = reader
        self._destroyer = destroyer
        self._purge = purge
        self._history = history
        self._forget = forget
        self._clock = clock
        self._alarm = alarm
        self._done: set[bytes] = set()
        self._told: set[str] = set()

    def step(self) -> None:
        """Does what is to be done now; what cannot be done is told, and tried again the next time."""
        try:
            self._destroy()
            self._purge.step(self._clock.now())
        except Exception as error:  # noqa: BLE001  whatever it is, sequencing goes on, and somebody is told
            self._tell(error)
        else:
            self._told.clear()

    def run(self, stop: Stop) -> None:
        """Steps every few seconds until ``stop`` is set."""
        while not stop.wait(PACE_SECONDS):
            self.step()

    def _destroy(self) -> None:
        for found in recorded_destructions(self._rows.destructions()):
            if found.leaf in self._done:
                continue
            # not before everybody can see why it will be gone
            if self._reader.inclusion(found.index, leaf_hash(found.leaf)) is None:
                return
            allowed = self._judged(found)
            if allowed is not None:
                what = allowed.destruction
                self._destroyer.destroy(what.period, what.first, what.end)
                self._forget(what.period)
            self._done.add(found.leaf)

    def _judged(self, found: RecordedDestruction) -> Allowed | None:
        """What it allows; None, told, where it allows nothing: a row is only what the database says."""
        try:
            texts = found.texts
            allowed = judge_recorded(
                self._history(), found.index, texts.document, texts.verdict, texts.approvals, found.at
            )
        except PolicyRefused as refused:
            self._unlawful(found, refused.reason)
            return None
        said = read_verdict(texts.verdict).verdict
        if not self._reader.had(said.end, bytes.fromhex(said.root)):
            self._unlawful(found, Reason.VERDICT_OF_ANOTHER_TREE)
            return None
        return allowed

    def _unlawful(self, found: RecordedDestruction, reason: Reason) -> None:
        self._tell(LedgerError(f"leaf {found.index}: a destruction that is not lawful ({reason})"))

    def _tell(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text not in self._told:
            self._told.add(text)
            self._alarm(error)


@contextmanager
def kept_up(url: str, settings: Settings, key: LogKey, clock: Clock, stop: Stop) -> Iterator[None]:
    """While the block runs and ``stop`` is not set, old claims, counts and keys are forgotten, and the log is kept up.

    Over connections of its own, not durable ones, since all of it can be done again; in two threads.
    """
    database = open_database(url, durable=False)
    upkeep = threading.Thread(
        target=make_upkeep(database, settings, key, clock).run, args=(stop,), name="upkeep", daemon=True
    )
    guarded = (DatabaseClaims(database, clock), DatabaseBudgets(database, clock))
    effects = DatabaseEffects(database)
    try:
        expiring = (guarded, effects, DatabaseBatches(database), clock, stop)
        threading.Thread(target=_expire, args=expiring, name="expire", daemon=True).start()
        upkeep.start()
        yield
    finally:
        if stop.is_set():
            upkeep.join(_PATIENCE_SECONDS)  # a step ends before its connections do; what is left is taken up again
        database.dispose()


def _expire(
    guarded: Sequence[DatabaseClaims | DatabaseBudgets],
    effects: DatabaseEffects,
    batches: DatabaseBatches,
    clock: Clock,
    stop: Stop,
) -> None:
    """Forgets old claims, counts, keys and batches from time to time; a failure is tried again, and stops nothing.

    At once after a start, and then as often, intents whose exchange has ended without an answer become unknown.
    """
    while True:
        with suppress(Exception):
            for exchange_id in effects.give_up(clock.now()):
                structlog.get_logger("upkeep").error("effect_unknown", exchange_id=str(exchange_id))
            effects.expire(clock.now())
        if stop.wait(_EXPIRE_SECONDS):
            return
        for rows in guarded:
            with suppress(Exception):
                rows.expire()
        with suppress(Exception):
            batches.forget(clock.now() - _BATCHES_KEPT)


def make_upkeep(database: Database, settings: Settings, key: LogKey, clock: Clock) -> Upkeep:
    """The upkeep of one log.

    Args:
        database: connections of its own; not durable ones, since all of it can be done again.
        settings: where the log is, and how long records stay in the database.
        key: the log's public key.
        clock: how old a record is.
    """

    def history() -> tuple[InForce, ...]:
        # walked anew for each destruction: they are few, and years apart
        follower = Follower(PublishedActs(settings.folders.log, key), clock)
        follower.begin(PolicyRows(database))
        return follower.history

    log = settings.folders.log
    rows, reader = Purging(database), LogReader(log, key)
    return Upkeep(
        rows=rows,
        reader=reader,
        destroyer=Destroyer(log, log.with_name(f"{log.name}.tmp"), rows),
        purge=Purge(rows, log, reader, timedelta(hours=settings.ledger.purge_after_hours)),
        history=history,
        forget=DatabaseNotes(database).forget,
        clock=clock,
        alarm=lambda error: structlog.get_logger("upkeep").error("upkeep_fails", exc_info=error),
    )
