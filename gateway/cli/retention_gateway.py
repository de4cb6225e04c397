"""`passerelle retention propose`, `destroy`: at the gateway, over its log (L9)."""

from __future__ import annotations

import re
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_files import approval_file
from gateway.cli.policy_log import standing
from gateway.cli.policy_publication import Publication, await_publication
from gateway.cli.policy_words import local, refuse
from gateway.errors import ConfigurationError
from gateway.ledger.destruction import destruction_evidence
from gateway.ledger.destruction_files import remaining
from gateway.ledger.destruction_log import DestructionLog, open_destruction_log
from gateway.ledger.reader import LogReader
from gateway.places import is_sequenced, policy_log
from gateway.policy.destruction import (
    BUNDLE,
    Destruction,
    check_due,
    due_date,
    judge_destruction,
    read_destruction,
)
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.verdict import check_verdict, read_verdict
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.policy.destruction import Allowed
    from gateway.policy.judge import InForce
    from gateway.policy.verdict import Verdict

#: A month of a busy gateway is tens of thousands of files.
_PATIENCE_SECONDS = 120.0
_PERIOD = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])")


def propose(output: Output, config: Path | None, period: str, verdict: Path, out: Path) -> Exit:
    """Writes what officers are to sign, if the period is due and the verdict covers it; or records the refusal."""
    if not _PERIOD.fullmatch(period):
        raise ConfigurationError("period_malformed", period=period)
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    signed, clock = approval_file(verdict), SystemClock()
    with _at(config) as (composition, log, current):
        try:
            what = _range(log, composition, current, int(period), sha256(signed).hexdigest())
            check_due(current, what.document(), clock.now())
            said = check_verdict(current, read_verdict(signed), what.first, what.end, clock.now())
            _check_seen(composition, said)
        except PolicyRefused as refused:
            return _refuse(output, composition, None, refused)
    write_public(out, what.document())
    officers = current.bundle.officers
    values = {"period": what.period, "first": what.first, "end": what.end, "due": local(what.due)}
    count = remaining(composition.settings.folders.log, what.period, what.first, what.end)
    output.result(
        {"holds": True, "file": out, "sha256": sha256(what.document()).hexdigest(), "records": count}
        | {"needed": officers.threshold, "period": what.period, "first": what.first, "end": what.end, "due": what.due}
    )
    output.say("retention.proposed", path=out, count=count, **values)
    output.say("retention.needs", needed=officers.threshold, officers=len(officers.keys))
    return Exit.HOLDS


def destroy(output: Output, config: Path | None, file: Path, verdict: Path, approvals: Sequence[Path]) -> Exit:
    """Records the destruction, if all of it is right, and waits until it is carried out; or records the refusal.

    Order: the leaf, durable, sequenced and published; only then the records, by the sequencer's process. Done again
    after a crash it finds the leaf, and waits for the rest.
    """
    document, signed = approval_file(file), approval_file(verdict)
    documents = [approval_file(path) for path in approvals]
    clock = SystemClock()
    with _at(config) as (composition, log, current):

        def allowed(at: datetime) -> Allowed:
            _check_full(composition, read_destruction(document))
            found = judge_destruction(current, document, signed, documents, at)
            _check_seen(composition, read_verdict(signed).verdict)
            return found

        try:
            found = allowed(clock.now())
            what = found.destruction
            leaf = log.find(document) or log.write(
                lambda at: (allowed(at), destruction_evidence(document, signed, documents))[1]
            )
        except PolicyRefused as refused:
            return _refuse(output, composition, sha256(document).hexdigest(), refused)
        folder, running = composition.settings.folders.log, lambda: is_sequenced(composition.settings)
        output.say("retention.recorded", period=what.period, who=", ".join(found.officers), auditor=found.auditor)
        published = await_publication(
            output, clock, is_published=lambda: log.shows(leaf), is_running=running, patience=_PATIENCE_SECONDS
        )
        done = published
        if published is Publication.PUBLISHED:
            done = await_publication(
                output,
                clock,
                is_published=lambda: not remaining(folder, what.period, what.first, what.end),
                is_running=running,
                patience=_PATIENCE_SECONDS,
            )
    output.result(
        {"holds": done.exit is Exit.HOLDS, "period": what.period, "first": what.first, "end": what.end}
        | {"approved_by": found.officers, "auditor": found.auditor, "publication": published}
        | {"destroyed": done is Publication.PUBLISHED}
    )
    if published is not Publication.PUBLISHED:
        output.fail("retention.not_published", period=what.period)
    else:
        output.say("retention.destroyed" if done is Publication.PUBLISHED else "retention.not_yet", period=what.period)
    output.say("retention.key_remains", period=what.period)
    return done.exit


@contextmanager
def _at(config: Path | None) -> Iterator[tuple[Composition, DestructionLog, InForce]]:
    _, settings = settings_of(config)
    clock, randomness = SystemClock(), SystemRandomness()
    composition = compose(settings)
    with policy_log(settings, clock, randomness) as log:
        current = standing(log).chain.current
    opened = open_destruction_log(
        composition.url,
        reader=LogReader(settings.folders.log, composition.log_key()),
        locks=composition.locks,
        clock=clock,
        randomness=randomness,
    )
    try:
        yield composition, opened, current
    finally:
        opened.close()


def _range(log: DestructionLog, composition: Composition, current: InForce, period: int, verdict: str) -> Destruction:
    retention = current.bundle.retention
    if retention is None:
        raise PolicyRefused(Reason.RETENTION_NOT_SET)
    span = log.span(period)
    if span is None:
        raise ConfigurationError("period_without_evidence", period=period)
    first, last = span
    what = Destruction(
        origin=current.bundle.origin,
        period=period,
        first=first - first % BUNDLE,
        end=last - last % BUNDLE + BUNDLE,
        due=due_date(period, retention.months),
        verdict=verdict,
    )
    _check_full(composition, what)
    return what


def _check_full(composition: Composition, what: Destruction) -> None:
    _, checkpoint = LogReader(composition.settings.folders.log, composition.log_key()).checkpoint()
    if what.end > checkpoint.size:
        raise PolicyRefused(Reason.DESTRUCTION_NOT_PUBLISHED, end=what.end, size=checkpoint.size)


def _check_seen(composition: Composition, said: Verdict) -> None:
    reader = LogReader(composition.settings.folders.log, composition.log_key())
    if not reader.had(said.end, bytes.fromhex(said.root)):
        raise PolicyRefused(Reason.VERDICT_OF_ANOTHER_TREE, size=said.end)


def _refuse(output: Output, composition: Composition, subject: str | None, refused: PolicyRefused) -> Exit:
    with policy_log(composition.settings, SystemClock(), SystemRandomness()) as log:
        log.refuse(subject, refused.reason.value)
    return refuse(output, refused)
