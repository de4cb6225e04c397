"""`passerelle handover`: a copy of the log for an auditor, and the leaf that says who has it, and until when."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_words import local
from gateway.errors import ConfigurationError
from gateway.keys.periods import period_key
from gateway.ledger.handover import Handover
from gateway.ledger.handover_log import HandoverLog, copy_log, release_copy
from gateway.ledger.reader import LogReader
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output

_LOCAL = ZoneInfo("America/Toronto")


def handover(output: Output, config: Path | None, target: Path, recipient: str, due: str) -> Exit:
    """Copies the log, records to whom and until when, and only then gives the copy its name.

    Raises ConfigurationError for a recipient that is no party, a date that is none or is past, a target that is there.
    """
    _, settings = settings_of(config)
    clock, composition = SystemClock(), compose(settings)
    bundle = composition.bundle
    if recipient not in bundle.parties:
        raise ConfigurationError("party_not_in_policy", party=recipient, known=", ".join(sorted(bundle.parties)))
    if target.exists():
        raise ConfigurationError("exists_already", path=target)
    until = _date(due)
    if until <= clock.now():
        raise ConfigurationError("date_past", date=due)
    kept = target.with_name(f".{target.name}.new")
    shutil.rmtree(kept, ignore_errors=True)
    try:
        checkpoint = copy_log(settings.folders.log, kept, LogReader(settings.folders.log, composition.log_key()))
        given = Handover(recipient, until, checkpoint.size, checkpoint.root.hex())
        log = HandoverLog(
            composition.url,
            locks=composition.locks,
            clock=clock,
            randomness=SystemRandomness(),
            period_key=partial(period_key, settings.folders.keys, bundle.periods),
        )
        try:
            log.write(given)
        finally:
            log.close()
        release_copy(kept, target)
    finally:
        shutil.rmtree(kept, ignore_errors=True)
    output.result(
        {"holds": True, "copy": target, "recipient": recipient, "due": until, "size": given.size, "root": given.root}
    )
    output.say("handover.made", path=target, recipient=recipient, due=local(until), size=given.size)
    return Exit.HOLDS


def _date(text: str) -> datetime:
    """The end of a day in Québec (YYYY-MM-DD), or an instant with its zone; in UTC. Raises ConfigurationError."""
    malformed = ConfigurationError("date_malformed", date=text)
    try:
        if len(text) == len("YYYY-MM-DD"):
            day = date.fromisoformat(text)
            return datetime.combine(day, time(23, 59, 59), _LOCAL).astimezone(UTC)
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise malformed
        return at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        raise malformed from None
