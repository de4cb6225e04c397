"""`passerelle log loss propose`, `record`: at the gateway, what a recovery lost, for officers to sign (L7)."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.cli.common import settings_of
from gateway.cli.loss_words import values_of
from gateway.cli.output import Exit
from gateway.cli.policy_files import approval_file, loss_file
from gateway.cli.policy_log import standing
from gateway.cli.policy_publication import Publication, await_publication
from gateway.cli.policy_words import refuse
from gateway.errors import ConfigurationError
from gateway.ledger.recovered import read_recovery
from gateway.losses import unnamed_recoveries
from gateway.places import is_sequenced, policy_log
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.recovery import EXCHANGE_ID, LARGEST_LOSS, Cause, Loss, judge_loss
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.ledger.policy_acts import PolicyLog
    from gateway.policy.recovery import NamedLoss


def propose(output: Output, config: Path | None, reason: str, exchanges: Sequence[str], out: Path) -> Exit:
    """Writes what officers are to sign, of the first recovery that waits for it.

    Raises ConfigurationError where no recovery waits, for an id that is none, and for a file that is there.
    """
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    for exchange_id in exchanges:
        if not re.fullmatch(EXCHANGE_ID, exchange_id):
            raise ConfigurationError("exchange_id_malformed", text=exchange_id)
    _, settings = settings_of(config)
    with policy_log(settings, SystemClock(), SystemRandomness()) as log:
        officers = standing(log).chain.current.bundle.officers
        waiting = _waiting(log)
    if not waiting:
        raise ConfigurationError("loss_none_waits")
    loss = _loss(waiting[0], Cause(reason), exchanges)
    document = loss.document()
    if len(document) > LARGEST_LOSS:
        raise ConfigurationError("loss_too_large", most=LARGEST_LOSS)
    write_public(out, document)
    output.result(
        {"holds": True, "file": out, "sha256": sha256(document).hexdigest(), "needed": officers.threshold}
        | {"size": loss.size, "since": loss.since, "until": loss.until, "exchanges": loss.exchanges}
        | {"waiting": len(waiting)}
    )
    output.say("loss.proposed", path=out, **values_of(output.t, loss))
    output.say("retention.needs", needed=officers.threshold, officers=len(officers.keys))
    return Exit.HOLDS


def record(output: Output, config: Path | None, file: Path, approvals: Sequence[Path]) -> Exit:
    """Records what officers say, and waits until it is published; or records the refusal."""
    document = loss_file(file)
    documents = [approval_file(path) for path in approvals]
    _, settings = settings_of(config)
    clock = SystemClock()
    with policy_log(settings, clock, SystemRandomness()) as log:
        try:
            named = _judged(log, document, documents, clock.now())
        except PolicyRefused as refused:
            log.refuse(sha256(document).hexdigest(), refused.reason.value)
            return refuse(output, refused)
        leaf = log.lose(document, documents)
        output.say("loss.recorded", who=", ".join(named.officers), **values_of(output.t, named.loss))
        found = await_publication(
            output, clock, is_published=lambda: log.shows(leaf), is_running=lambda: is_sequenced(settings)
        )
    output.result({"holds": found.exit is Exit.HOLDS, "approved_by": named.officers, "publication": found})
    if found is Publication.PUBLISHED:
        output.say("loss.published")
    else:
        output.fail("loss.not_published")
    return found.exit


def _judged(log: PolicyLog, document: bytes, approvals: Sequence[bytes], at: datetime) -> NamedLoss:
    """The loss, if officers signed it rightly, and it is that of a recovery which waits for it."""
    named = judge_loss(standing(log).chain.current, document, approvals, at)
    if named.loss not in [_loss(one, named.loss.reason, named.loss.exchanges) for one in _waiting(log)]:
        raise PolicyRefused(Reason.LOSS_OF_ANOTHER)
    return named


def _waiting(log: PolicyLog) -> tuple[bytes, ...]:
    """The documents of the recoveries of which no officers' leaf says what they lost, the first one first."""
    return unnamed_recoveries(log.acts(), standing(log).chain.history)


def _loss(recovery: bytes, reason: Cause, exchanges: Sequence[str]) -> Loss:
    facts = read_recovery(recovery)
    return Loss(
        origin=facts.origin,
        recovery=sha256(recovery).hexdigest(),
        size=facts.size,
        root=facts.root,
        since=facts.since,
        until=facts.until,
        reason=reason,
        exchanges=tuple(sorted(set(exchanges))),
    )
