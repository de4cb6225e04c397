"""Whether a new policy may take the place of the one in force: judged by the previous bundle alone (P1, P2).

What lives here: the rules, as pure functions of bytes and times. What may not: where they come from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.policy.acts import Act, ActKind, read_approval, verify_approval
from gateway.policy.bundle import LARGEST_POLICY, read_bundle
from gateway.policy.difference import Change, differences
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gateway.policy.acts import Approval
    from gateway.policy.bundle import Bundle

#: How far an officer's clock may be ahead of ours.
AHEAD = timedelta(seconds=60)
MOST_APPROVALS = 64
#: How long whoever writes may not know yet that another policy is in force.
_SWITCH = timedelta(seconds=2)
#: Where every new bundle differs from the one before it.
ALWAYS = frozenset({"version", "previous"})
_OFFICERS = "officers"


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy that is in force, or was: its bundle, the hex SHA-256 of its bytes, and from when."""

    bundle: Bundle = field(repr=False)
    sha256: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Proposed:
    """A policy that could follow the one in force, if officers approve: found sound, approved by nobody yet."""

    bundle: Bundle = field(repr=False)
    sha256: str
    changes: tuple[Change, ...] = field(repr=False)

    @property
    def widens(self) -> bool:
        """Whether anything in it allows more than before; then it waits (P2)."""
        return any(change.widens for change in self.changes)

    @property
    def only_officers(self) -> bool:
        """Whether nothing but the officers' section changes, as a recovery must."""
        return all(change.section in {*ALWAYS, _OFFICERS} for change in self.changes)


def check_proposal(before: InForce, content: bytes) -> Proposed:
    """The bundle in these bytes, sound and next after ``before``, with what it changes.

    Raises:
        PolicyRefused: policy_too_large, policy_invalid (which says where; an unknown party, an empty rule and two
            officers with one key are among them), origin_differs, version_reused, previous_differs,
            agreements_overlap, policy_unchanged.
    """
    bundle, sha256 = read_proposal(content)
    if bundle.origin != before.bundle.origin:
        raise PolicyRefused(Reason.ORIGIN_DIFFERS, origin=bundle.origin, expected=before.bundle.origin)
    if bundle.version <= before.bundle.version:
        raise PolicyRefused(Reason.VERSION_REUSED, version=bundle.version, floor=before.bundle.version)
    if bundle.previous != before.sha256:
        raise PolicyRefused(Reason.PREVIOUS_DIFFERS, previous=bundle.previous, expected=before.sha256)
    changes = differences(before.bundle, bundle)
    if all(change.section in ALWAYS for change in changes):
        raise PolicyRefused(Reason.POLICY_UNCHANGED)
    return Proposed(bundle, sha256, changes)


def read_proposal(content: bytes) -> tuple[Bundle, str]:
    """A bundle that is sound in itself, first or later, and its hex SHA-256.

    Raises PolicyRefused: policy_too_large, policy_invalid, agreements_overlap.
    """
    if len(content) > LARGEST_POLICY:
        raise PolicyRefused(Reason.POLICY_TOO_LARGE, most=LARGEST_POLICY)
    try:
        bundle, sha256 = read_bundle(content)
    except ConfigurationError as error:
        where = {"where": "/", "detail": "YAML"} | error.values
        raise PolicyRefused(Reason.POLICY_INVALID, **where) from None
    _check_overlaps(bundle)
    return bundle, sha256


def judge(
    before: InForce, proposed: Proposed, approvals: Sequence[bytes], proposed_at: datetime, at: datetime
) -> tuple[str, ...]:
    """The officers of the previous bundle whose approvals count, sorted; enough of them, and not too early.

    Every approval must be right, even where enough others are: what is recorded is what was checked. An officer's
    second approval does not count. Approvals that are all of kind ``recovery`` are judged by the recovery set.

    Args:
        before: the policy in force.
        proposed: what ``check_proposal`` gave for it.
        approvals: the documents that officers handed over.
        proposed_at: when the proposal was recorded, from which the delays run.
        at: when it would be activated.

    Raises:
        PolicyRefused: approvals_too_few, approvals_too_many, approval_malformed, approval_of_another,
            approval_not_by_officer, approval_signature_wrong, approval_date_wrong, approval_repeated, not_in_force,
            expired, widening_too_early, recovery_changes_more, recovery_too_early.
    """
    read = _read(approvals)
    recovery = bool(read) and all(approval.act.kind is ActKind.RECOVERY for approval in read)
    officers = before.bundle.officers
    keys = officers.recovery if recovery else officers.keys
    kind = ActKind.RECOVERY if recovery else ActKind.POLICY
    for approval in read:
        check_approval(approval, before, proposed, kind=kind, keys=keys, at=at)
    who = _enough(read, officers.recovery_threshold if recovery else officers.threshold)
    if recovery:
        _check_recovery(before, proposed, proposed_at, at)
    else:
        check_validity(proposed.bundle, at)
        _check_delay(before, proposed, proposed_at, at)
    return who


def check_approval(
    approval: Approval, before: InForce, proposed: Proposed, *, kind: ActKind, keys: Mapping[str, str], at: datetime
) -> None:
    """That one approval is for this very bundle, by one of these officers, rightly signed and dated.

    Raises PolicyRefused: approval_of_another, approval_not_by_officer, approval_signature_wrong, approval_date_wrong.
    """
    act = approval.act
    expected = Act(
        kind=kind,
        origin=before.bundle.origin,
        subject=proposed.sha256,
        version=proposed.bundle.version,
        previous=before.sha256,
        officer=act.officer,
        at=act.at,
    )
    check_act(approval, expected, since=before.since, keys=keys, at=at)


def check_act(approval: Approval, expected: Act, *, since: datetime, keys: Mapping[str, str], at: datetime) -> None:
    """That one approval is of this very act, by one of these officers, rightly signed, and dated from ``since`` on.

    Raises PolicyRefused: approval_of_another, approval_not_by_officer, approval_signature_wrong, approval_date_wrong.
    """
    act = approval.act
    if act != expected:
        raise PolicyRefused(Reason.APPROVAL_OF_ANOTHER, officer=act.officer)
    public_key = keys.get(act.officer)
    if public_key is None:
        raise PolicyRefused(Reason.APPROVAL_NOT_BY_OFFICER, officer=act.officer)
    verify_approval(approval, public_key)
    if not since <= act.at <= at + AHEAD:
        raise PolicyRefused(Reason.APPROVAL_DATE_WRONG, officer=act.officer)


def signed_by_officers(
    before: InForce, approvals: Sequence[bytes], expected: Callable[[str, datetime], Act], at: datetime
) -> tuple[str, ...]:
    """The officers of the policy in force under these documents, sorted; enough of them, and every document right.

    ``expected`` gives the act that an officer must have signed, at that officer's own time.
    Raises PolicyRefused: approvals_too_few, approvals_too_many, approval_repeated, and as ``check_act`` does.
    """
    read, officers = _read(approvals), before.bundle.officers
    for approval in read:
        act = expected(approval.act.officer, approval.act.at)
        check_act(approval, act, since=before.since, keys=officers.keys, at=at)
    return _enough(read, officers.threshold)


def in_force_at(history: Sequence[InForce], at: datetime) -> list[InForce]:
    """Those that may have been in force at that moment, the newest last: whoever wrote then may not have known it."""
    after = [following.since for following in history[1:]]
    ends = [since + _SWITCH for since in after]
    former = [force for force, end in zip(history, ends, strict=False) if force.since <= at < end]
    return [*former, *(force for force in history[-1:] if force.since <= at)]


def earliest(before: InForce, proposed: Proposed, proposed_at: datetime, *, recovery: bool = False) -> datetime:
    """From when the proposal may be activated: the delay of the policy in force, and the new bundle's own beginning."""
    officers = before.bundle.officers
    if recovery:
        return proposed_at + timedelta(hours=officers.recovery_delay_hours or 0)
    delay = timedelta(hours=officers.widening_delay_hours) if proposed.widens else timedelta()
    return max(proposed_at + delay, proposed.bundle.validity.since)


def _read(approvals: Sequence[bytes]) -> list[Approval]:
    if len(approvals) > MOST_APPROVALS:
        raise PolicyRefused(Reason.APPROVALS_TOO_MANY, most=MOST_APPROVALS)
    return [read_approval(document) for document in approvals]


def _enough(read: Sequence[Approval], needed: int | None) -> tuple[str, ...]:
    """The officers under these approvals, sorted; one who signs twice counts once."""
    who = tuple(sorted({approval.act.officer for approval in read}))
    if needed is None or len(who) < needed:
        reason = Reason.APPROVAL_REPEATED if needed and len(read) >= needed else Reason.APPROVALS_TOO_FEW
        raise PolicyRefused(reason, given=len(who), needed=needed)
    return who


def _check_recovery(before: InForce, proposed: Proposed, proposed_at: datetime, at: datetime) -> None:
    # Dates are not looked at: lost officers may be the reason why a policy has expired, and an expired one allows
    # nothing until the new officers prolong it.
    if not proposed.only_officers:
        raise PolicyRefused(Reason.RECOVERY_CHANGES_MORE)
    since = earliest(before, proposed, proposed_at, recovery=True)
    if at < since:
        raise PolicyRefused(Reason.RECOVERY_TOO_EARLY, since=since)


def check_validity(bundle: Bundle, at: datetime) -> None:
    """Raises PolicyRefused (not_in_force, expired) outside the bundle's own dates."""
    if at < bundle.validity.since:
        raise PolicyRefused(Reason.NOT_IN_FORCE, since=bundle.validity.since)
    if at >= bundle.validity.until:
        raise PolicyRefused(Reason.EXPIRED, until=bundle.validity.until)


def _check_delay(before: InForce, proposed: Proposed, proposed_at: datetime, at: datetime) -> None:
    since = earliest(before, proposed, proposed_at)
    if proposed.widens and at < since:
        raise PolicyRefused(Reason.WIDENING_TOO_EARLY, since=since)


def _check_overlaps(bundle: Bundle) -> None:
    """No two agreements answer one question: a reader could not say which fields are allowed."""
    answers: dict[tuple[str, str, str], list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for word, agreement in bundle.agreements.items():
        for purpose in set(agreement.purposes):
            span = (agreement.validity.since, agreement.validity.until, word)
            answers[agreement.party, agreement.operation, purpose].append(span)
    for spans in answers.values():
        # sorted by their beginning: if any two overlap, two neighbours do
        for (_, until, first), (since, _, second) in pairwise(sorted(spans)):
            if since < until:
                raise PolicyRefused(Reason.AGREEMENTS_OVERLAP, first=first, second=second)
