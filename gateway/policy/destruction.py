"""When sealed evidence may be destroyed: what officers sign, and whether it is due, audited and signed by enough (L9).

    passerelle-destruction/v1
    origin passerelle.development
    period 202611
    first 0
    end 1280
    due 2032-12-01T00:00:00.000000Z
    verdict <hex SHA-256 of the auditor's signed verdict>

It speaks of the sealed records of that period behind the leaves from ``first`` up to, not with, ``end``: whole bundles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.policy.acts import Act, ActKind, act_time
from gateway.policy.judge import check_validity, in_force_at, signed_by_officers
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.verdict import check_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.policy.judge import InForce

FORMAT = "passerelle-destruction/v1"
#: Evidence is destroyed by whole bundles of the log, which are never written again otherwise (L6).
BUNDLE = 256
LARGEST_DESTRUCTION = 1024
_MONTHS = 12
_LINES = re.compile(
    rf"{re.escape(FORMAT)}\n"
    r"origin (?P<origin>[A-Za-z0-9][A-Za-z0-9._-]{0,62})\n"
    r"period (?P<period>[0-9]{4}(?:0[1-9]|1[0-2]))\n"
    r"first (?P<first>0|[1-9][0-9]{0,17})\n"
    r"end (?P<end>[1-9][0-9]{0,17})\n"
    r"due (?P<due>[0-9TZ:.-]{27})\n"
    r"verdict (?P<verdict>[0-9a-f]{64})\n"
)


@dataclass(frozen=True, slots=True)
class Destruction:
    """What is to be destroyed.

    Attributes:
        origin: the log's name.
        period: YYYYMM of the leaves that are meant.
        first, end: indices of the first leaf, and of the one after the last; multiples of 256.
        due: the instant before which the policy keeps this period, UTC.
        verdict: hex SHA-256 of the auditor's signed verdict over the range.
    """

    origin: str
    period: int
    first: int
    end: int
    due: datetime
    verdict: str

    def document(self) -> bytes:
        """The file that officers approve, and that the leaf keeps."""
        lines = (
            FORMAT,
            f"origin {self.origin}",
            f"period {self.period:06d}",
            f"first {self.first}",
            f"end {self.end}",
            f"due {act_time(self.due)}",
            f"verdict {self.verdict}",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class Allowed:
    """A destruction that is due, audited and signed: what it is, by which officers, on which auditor's word."""

    destruction: Destruction
    officers: tuple[str, ...]
    auditor: str


def read_destruction(content: bytes) -> Destruction:
    """What a document speaks of; raises PolicyRefused (destruction_malformed) for anything that we would not write."""
    try:
        found = _LINES.fullmatch(content.decode("ascii")) if len(content) <= LARGEST_DESTRUCTION else None
        destruction = _destruction(found) if found else None
    except (ValueError, OverflowError):
        destruction = None
    if destruction is None or destruction.document() != content:
        raise PolicyRefused(Reason.DESTRUCTION_MALFORMED)
    return destruction


def due_date(period: int, months: int) -> datetime:
    """From when a period may be destroyed: so many months after its last one has ended, UTC.

    Raises OverflowError or ValueError where no calendar goes so far.
    """
    count = period // 100 * _MONTHS + period % 100 + months
    return datetime(count // _MONTHS, count % _MONTHS + 1, 1, tzinfo=UTC)


def destruction_act(before: InForce, document: bytes, officer: str, at: datetime) -> Act:
    """What one officer signs for it, under the policy in force."""
    return Act(
        kind=ActKind.DESTRUCTION,
        origin=before.bundle.origin,
        subject=sha256(document).hexdigest(),
        version=before.bundle.version,
        previous=before.sha256,
        officer=officer,
        at=at,
    )


def judge_destruction(
    before: InForce, document: bytes, verdict: bytes, approvals: Sequence[bytes], at: datetime
) -> Allowed:
    """What may be destroyed, if all of it is right under the policy in force.

    Args:
        before: the policy in force.
        document: what is to be destroyed.
        verdict: the auditor's signed verdict.
        approvals: the documents that officers handed over; every one must be right.
        at: when it is recorded.

    Raises:
        PolicyRefused: as ``check_due`` and ``check_verdict`` do, and for approvals as ``judge`` does.
    """
    destruction = check_due(before, document, at)
    if sha256(verdict).hexdigest() != destruction.verdict:
        raise PolicyRefused(Reason.VERDICT_DIFFERS)
    said = check_verdict(before, read_verdict(verdict), destruction.first, destruction.end, at)
    who = signed_by_officers(
        before, approvals, lambda officer, when: destruction_act(before, document, officer, when), at
    )
    return Allowed(destruction, who, said.auditor)


def judge_recorded(
    history: Sequence[InForce], index: int, document: bytes, verdict: bytes, approvals: Sequence[bytes], at: datetime
) -> Allowed:
    """What a destruction's leaf allows, judged by the policy that was in force at its time.

    Args:
        history: the policies of the log, the first one first.
        index: of the leaf: it may speak of what stands before it only.
        document: what is to be destroyed, as its record has it.
        verdict: the auditor's, as its record has it.
        approvals: the officers', as its record has them.
        at: the leaf's time.

    Raises:
        PolicyRefused: as ``judge_destruction`` does; not_begun where no policy was in force, destruction_not_published.
    """
    refused = PolicyRefused(Reason.NOT_BEGUN)
    for force in in_force_at(history, at):
        try:
            allowed = judge_destruction(force, document, verdict, approvals, at)
        except PolicyRefused as error:
            refused = error
            continue
        if allowed.destruction.end > index:
            raise PolicyRefused(Reason.DESTRUCTION_NOT_PUBLISHED, end=allowed.destruction.end, size=index)
        return allowed
    raise refused


def check_due(before: InForce, document: bytes, at: datetime) -> Destruction:
    """What the document speaks of, if the policy in force lets it be destroyed by now.

    Raises PolicyRefused: destruction_malformed, origin_differs, not_in_force, expired, retention_not_set,
    destruction_due_differs, destruction_too_early.
    """
    destruction, bundle = read_destruction(document), before.bundle
    if destruction.origin != bundle.origin:
        raise PolicyRefused(Reason.ORIGIN_DIFFERS, origin=destruction.origin, expected=bundle.origin)
    check_validity(bundle, at)
    if bundle.retention is None:
        raise PolicyRefused(Reason.RETENTION_NOT_SET)
    try:
        due = due_date(destruction.period, bundle.retention.months)
    except (ValueError, OverflowError):
        raise PolicyRefused(Reason.DESTRUCTION_MALFORMED) from None
    if destruction.due != due:
        raise PolicyRefused(Reason.DESTRUCTION_DUE_DIFFERS, due=destruction.due, expected=due)
    if at < due:
        raise PolicyRefused(Reason.DESTRUCTION_TOO_EARLY, due=due)
    return destruction


def _destruction(found: re.Match[str]) -> Destruction:
    first, end = int(found["first"]), int(found["end"])
    if first >= end or first % BUNDLE or end % BUNDLE:
        raise ValueError("not whole bundles")
    due = datetime.fromisoformat(found["due"])
    return Destruction(found["origin"], int(found["period"]), first, end, due, found["verdict"])
