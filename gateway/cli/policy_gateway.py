"""`passerelle policy show`, `propose`, `activate`: at the gateway, over its log (P1, P2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_files import approval_file, policy_file
from gateway.cli.policy_log import standing
from gateway.cli.policy_publication import await_publication, say_publication
from gateway.cli.policy_words import as_json, local, readable, refuse, say_changes, warn_of_few
from gateway.errors import ConfigurationError
from gateway.places import is_sequenced, policy_log, write_copy
from gateway.policy.acts import read_approval
from gateway.policy.agreements import check_agreements
from gateway.policy.judge import check_proposal, earliest, judge
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from contracts.loader import Contract
    from gateway.cli.output import Output
    from gateway.cli.policy_log import Standing
    from gateway.ledger.policy_acts import PolicyLog
    from gateway.policy.bundle import Bundle
    from gateway.policy.chain import Waiting
    from gateway.policy.judge import InForce
    from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class _Waits:
    """A proposal that waits, and what it still needs; by recovery too, where the officers of last resort may."""

    version: int
    sha256: str
    since: datetime
    approved_by: tuple[str, ...]
    missing: int
    earliest: datetime
    widens: bool
    recovery_by: tuple[str, ...] = ()
    recovery_missing: int | None = None
    recovery_earliest: datetime | None = None


def show(output: Output, config: Path | None) -> Exit:
    """The policy in force, and the proposals that wait with what each still needs."""
    _, settings = settings_of(config)
    clock = SystemClock()
    with policy_log(settings, clock, SystemRandomness()) as log:
        stands = standing(log)
    current = stands.chain.current
    waiting = [_waits(stands, item, clock.now()) for item in stands.chain.waiting]
    output.result(_facts(current) | {"waiting": [asdict(item) for item in waiting]})
    _say_in_force(output, current)
    for item in waiting:
        output.say("policy.waits", **readable(output.t, asdict(item)))
        if item.recovery_missing is not None:
            output.say("policy.waits_recovery", **readable(output.t, asdict(item)))
    warn_of_few(output, current.bundle)
    return Exit.HOLDS


def propose(output: Output, config: Path | None, policy: Path) -> Exit:
    """Validates, says the difference in words, records the proposal; or records the refusal."""
    _, settings = settings_of(config)
    content = policy_file(policy)
    clock, composition = SystemClock(), compose(settings)
    with policy_log(settings, clock, SystemRandomness()) as log:
        stands = standing(log)
        current = stands.chain.current
        digest = sha256(content).hexdigest()
        try:
            proposed = check_proposal(current, content)
            _check_contracts(proposed.bundle, composition.contracts)
        except PolicyRefused as refused:
            log.refuse(None if refused.reason is Reason.POLICY_TOO_LARGE else digest, refused.reason.value)
            return refuse(output, refused)
        known = next((item for item in stands.chain.waiting if item.proposed.sha256 == digest), None)
        if known is None:
            log.propose(content, proposed.bundle.version, current.sha256)
    recorded = clock.now() if known is None else known.since
    officers = current.bundle.officers
    since = earliest(current, proposed, recorded)
    output.result(
        {
            "holds": True,
            "sha256": digest,
            "version": proposed.bundle.version,
            "widens": proposed.widens,
            "earliest": since,
            "needed": officers.threshold,
            "changes": as_json(output.t, proposed.changes),
        }
    )
    say_changes(output, proposed.changes)
    output.say("policy.delay" if proposed.widens else "policy.at_once", hours=officers.widening_delay_hours)
    output.say("policy.proposed" if known is None else "policy.proposed_before", version=proposed.bundle.version)
    output.say("policy.needs", needed=officers.threshold, officers=len(officers.keys), earliest=local(since))
    output.say("policy.hash", sha256=digest)
    warn_of_few(output, proposed.bundle)
    return Exit.HOLDS


def activate(
    output: Output, config: Path | None, policy: Path, approvals: Sequence[Path], *, recovery: bool = False
) -> Exit:
    """Judges the approvals given and those recorded before; records each, then the activation or the refusal."""
    _, settings = settings_of(config)
    content = policy_file(policy)
    documents = [approval_file(path) for path in approvals]
    clock, randomness = SystemClock(), SystemRandomness()
    composition = compose(settings)
    digest = sha256(content).hexdigest()
    with policy_log(settings, clock, randomness) as log:
        stands = standing(log)
        try:
            waiting = _judged(stands, digest, content)
            counted = _counted(log, stands, waiting, documents, clock, recovery=recovery)
            _check_contracts(waiting.proposed.bundle, composition.contracts)
            bundle = waiting.proposed.bundle
            who = judge(stands.chain.current, waiting.proposed, counted, waiting.since, clock.now())
        except PolicyRefused as refused:
            log.refuse(digest, refused.reason.value)
            return refuse(output, refused)
        # what workers will need is there before they are told
        composition.make_ready(bundle)
        leaf = log.activate(digest, bundle.version, stands.chain.current.sha256, counted)
        write_copy(settings, content)
        output.say("policy.activated", version=bundle.version, who=", ".join(who), sha256=digest)
        found = await_publication(
            output, clock, is_published=lambda: log.shows(leaf), is_running=lambda: is_sequenced(settings)
        )
    output.result(
        {
            "holds": found.exit is Exit.HOLDS,
            "sha256": digest,
            "version": bundle.version,
            "approved_by": who,
            "publication": found,
        }
    )
    say_publication(output, found)
    warn_of_few(output, bundle)
    return found.exit


def _judged(stands: Standing, digest: str, content: bytes) -> Waiting:
    current = stands.chain.current
    # said first, as it says more than that such a text was never proposed
    proposed = check_proposal(current, content)
    return stands.chain.judged(digest, current.sha256, proposed.bundle.version)


def _counted(
    log: PolicyLog, stands: Standing, waiting: Waiting, documents: Sequence[bytes], clock: Clock, *, recovery: bool
) -> list[bytes]:
    """The approvals given, each recorded if it is right, and those that were recorded before; raises PolicyRefused."""
    sha256_, now = waiting.proposed.sha256, clock.now()
    before = stands.approvals.get(sha256_, [])
    refused: PolicyRefused | None = None
    for document in dict.fromkeys(documents):
        try:
            stands.check(waiting, document, now, recovery=recovery)
        except PolicyRefused as error:
            refused = refused or error
            continue
        if document not in before:
            log.approve(document, sha256_)
    if refused is not None:
        raise refused
    given = list(documents)
    names = {read_approval(document).act.officer for document in given}
    recorded = stands.valid(waiting, before, now, recovery=recovery)
    return given + [document for document in recorded if read_approval(document).act.officer not in names]


def _check_contracts(bundle: Bundle, contracts: Sequence[Contract]) -> None:
    try:
        check_agreements(bundle, contracts)
    except ConfigurationError as error:
        raise PolicyRefused(Reason.POLICY_INVALID, **error.values) from None


def _waits(stands: Standing, item: Waiting, now: datetime) -> _Waits:
    current, proposed = stands.chain.current, item.proposed
    who = _approved_by(stands, item, now, recovery=False)
    waits = _Waits(
        version=proposed.bundle.version,
        sha256=proposed.sha256,
        since=item.since,
        approved_by=who,
        missing=max(current.bundle.officers.threshold - len(who), 0),
        earliest=earliest(current, proposed, item.since),
        widens=proposed.widens,
    )
    needed = current.bundle.officers.recovery_threshold
    if needed is None or not proposed.only_officers:
        return waits
    last = _approved_by(stands, item, now, recovery=True)
    return replace(
        waits,
        recovery_by=last,
        recovery_missing=max(needed - len(last), 0),
        recovery_earliest=earliest(current, proposed, item.since, recovery=True),
    )


def _approved_by(stands: Standing, item: Waiting, now: datetime, *, recovery: bool) -> tuple[str, ...]:
    recorded = stands.approvals.get(item.proposed.sha256, [])
    documents = stands.valid(item, recorded, now, recovery=recovery)
    return tuple(read_approval(document).act.officer for document in documents)


def _facts(current: InForce) -> dict[str, object]:
    bundle, officers = current.bundle, current.bundle.officers
    return {
        "origin": bundle.origin,
        "version": bundle.version,
        "sha256": current.sha256,
        "since": current.since,
        "until": bundle.validity.until,
        "parties": sorted(bundle.parties),
        "suspended": sorted(name for name, party in bundle.parties.items() if party.suspended),
        "agreements": sorted(bundle.agreements),
        "threshold": officers.threshold,
        "officers": sorted(officers.keys),
        "recovery": sorted(officers.recovery),
        "recovery_threshold": officers.recovery_threshold,
        "widening_delay_hours": officers.widening_delay_hours,
        "single": officers.single,
    }


def _say_in_force(output: Output, current: InForce) -> None:
    bundle, officers = current.bundle, current.bundle.officers
    output.say(
        "policy.in_force",
        origin=bundle.origin,
        version=bundle.version,
        sha256=current.sha256,
        since=local(current.since),
        until=local(bundle.validity.until),
        parties=len(bundle.parties),
        agreements=len(bundle.agreements),
        threshold=officers.threshold,
        officers=len(officers.keys),
        delay=officers.widening_delay_hours,
    )
    for name, party in sorted(bundle.parties.items()):
        key = "policy.party_suspended" if party.suspended else "policy.party"
        output.say(key, name=name, **readable(output.t, {"title": party.title, "role": party.role}))
    for word, agreement in sorted(bundle.agreements.items()):
        values = {
            "party": agreement.party,
            "operation": agreement.operation,
            "purposes": agreement.purposes,
            "fields": agreement.fields,
            "until": agreement.validity.until,
        }
        output.say("policy.agreement", name=word, **readable(output.t, values))
    output.say("policy.officers", names=", ".join(sorted(officers.keys)))
    if officers.recovery:
        names = ", ".join(sorted(officers.recovery))
        output.say("policy.recovery", names=names, threshold=officers.recovery_threshold)
