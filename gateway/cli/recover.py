"""`passerelle log recover`: the database's ledger put back from the published log (DESIGN L7)."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.errors import LedgerError, RecoveryError
from gateway.guard.storage import DatabaseClaims
from gateway.ledger.recover import recover
from gateway.ledger.storage import Log
from gateway.ledger.storage.recovery import Recovery
from gateway.storage import migrate, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.ledger.recover import Recovered
    from gateway.settings import Settings
    from gateway.storage import Database

_FIRST_SECONDS = 2.0


def recover_log(output: Output, config: Path | None, *, without_backup: bool) -> Exit:
    """Recovers, which leaves a word of itself in the log, and says what was done and what may be lost.

    Raises RecoveryError where something runs, where there is nothing to recover from, or where the two logs differ.
    """
    _, settings = settings_of(config)
    base = compose(settings)
    found = _recovered(output, base, without_backup=without_backup)
    output.result({"holds": True, **asdict(found)})
    _say(output, settings, found)
    return Exit.HOLDS


def _recovered(output: Output, base: Composition, *, without_backup: bool) -> Recovered:
    key, folder = base.log_key(), base.settings.folders.log
    with ExitStack() as stack:
        database = open_database(base.url, durable=True)
        stack.callback(database.dispose)
        if not database.is_there() and not without_backup:
            raise RecoveryError("recover_no_backup", folder=base.settings.folders.db)
        migrate(base.url)
        stack.enter_context(_nobody_runs(base, database))
        if not without_backup:
            _has_a_log(database, base.settings)
        found = recover(
            folder,
            key,
            Recovery(database),
            clock=base.clock,
            randomness=base.randomness,
            progress=_Shown(output, base),
        )
        # what was claimed since the backup is forgotten: nobody may use that
        DatabaseClaims(database, base.clock).refuse_earlier()
    return found


@contextmanager
def _nobody_runs(base: Composition, database: Database) -> Iterator[None]:
    """Holds the sequencer's place meanwhile; raises RecoveryError where a process of the gateway lives."""
    lead = base.locks.lead()
    if lead is None:
        raise RecoveryError("recover_running")
    try:
        for writer in Log(database).open_writers():
            held = base.locks.take_over(writer)
            if held is None:
                raise RecoveryError("recover_running")
            held.release()  # dead, and the sequencer's to close
        yield
    finally:
        lead.release()
        base.locks.close()


def _has_a_log(database: Database, settings: Settings) -> None:
    try:
        Log(database).state()
    except LedgerError:
        raise RecoveryError("recover_no_backup", folder=settings.folders.db) from None


def _say(output: Output, settings: Settings, found: Recovered) -> None:
    if not found.changed:
        output.say("recover.nothing", size=found.size)
        return
    output.say("recover.done", size=found.size, added=found.added, found=found.found, waiting=found.waiting)
    output.say("recover.lost")
    output.say("recover.next", log=settings.folders.log)
    output.say("recover.officers")


class _Shown:
    """Shows how far it is, past two seconds, on standard error."""

    def __init__(self, output: Output, base: Composition) -> None:
        self._output = output
        self._clock = base.clock
        self._next = base.clock.monotonic() + _FIRST_SECONDS

    def __call__(self, done: int, total: int) -> None:
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            with suppress(ZeroDivisionError):
                self._output.fail("recover.progress", done=done, total=total, percent=100 * done // total)
