"""What a recovery lost counts once enough officers have signed it, and is what they signed (L7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gateway.policy.acts import ActKind
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.recovery import LARGEST_LOSS, Cause, Loss, judge_loss, judge_recorded_loss, loss_act, read_loss
from tests.policy.made import HOUR, NOW, ORIGIN, first, officer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.policy.judge import InForce

ONE, OTHER = (f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "12")


def loss(**changes: Any) -> Loss:
    said: dict[str, Any] = {
        "origin": ORIGIN, "recovery": "a" * 64, "size": 1280, "root": "b" * 64, "since": NOW - HOUR, "until": NOW,
        "reason": Cause.MACHINE_LOST, "exchanges": (ONE, OTHER),
    }  # fmt: skip
    return Loss(**(said | changes))


def approve(
    force: InForce, what: bytes, names: Sequence[str] = ("officer-1", "officer-3"), **changes: Any
) -> list[bytes]:
    return [officer(name).sign(replace(loss_act(force, what, name, NOW), **changes)).document() for name in names]


def judged(force: InForce, what: bytes, approvals: list[bytes], at: datetime = NOW) -> Reason | None:
    """The word by which it is refused, if it is."""
    try:
        judge_loss(force, what, approvals, at)
    except PolicyRefused as refused:
        return refused.reason
    return None


def test_what_enough_officers_have_signed_counts() -> None:
    _, force = first()
    what = loss()
    named = judge_loss(force, what.document(), approve(force, what.document()), NOW)
    assert (named.loss, named.officers) == (what, ("officer-1", "officer-3"))
    assert b"exchange 11111111-1111-4111-8111-111111111111\n" in what.document()
    assert str(UUID(ONE)) == ONE


def test_a_policy_that_has_expired_still_has_officers_who_can_say_so() -> None:
    _, force = first()
    late = force.bundle.validity.until + HOUR
    what = loss(until=late).document()
    assert judged(force, what, approve(force, what), late) is None


_APPROVALS: dict[str, tuple[dict[str, Any], Reason]] = {
    "none": ({"names": ()}, Reason.APPROVALS_TOO_FEW),
    "one": ({"names": ("officer-2",)}, Reason.APPROVALS_TOO_FEW),
    "one_twice": ({"names": ("officer-1", "officer-1")}, Reason.APPROVAL_REPEATED),
    "of_last_resort": ({"names": ("officer-1", "last-1")}, Reason.APPROVAL_NOT_BY_OFFICER),
    "of_a_destruction": ({"kind": ActKind.DESTRUCTION}, Reason.APPROVAL_OF_ANOTHER),
    "of_another_loss": ({"subject": "c" * 64}, Reason.APPROVAL_OF_ANOTHER),
    "of_another_log": ({"origin": "other.example"}, Reason.APPROVAL_OF_ANOTHER),
    "under_a_former_policy": ({"previous": "d" * 64}, Reason.APPROVAL_OF_ANOTHER),
    "from_the_future": ({"at": NOW + HOUR}, Reason.APPROVAL_DATE_WRONG),
}


@pytest.mark.parametrize("case", _APPROVALS)
def test_wrong_approvals_are_refused(case: str) -> None:
    changes, reason = _APPROVALS[case]
    _, force = first()
    what = loss().document()
    assert judged(force, what, approve(force, what, **changes)) == reason


def test_a_loss_of_another_log_is_refused() -> None:
    _, force = first()
    what = loss(origin="other.example").document()
    assert judged(force, what, approve(force, what)) == Reason.ORIGIN_DIFFERS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        loss().document()[:-1],
        loss().document() + b"\n",
        loss(exchanges=(OTHER, ONE)).document(),
        loss(exchanges=(ONE, ONE)).document(),
        loss(since=NOW + HOUR).document(),
        loss().document().replace(b"machine-lost", b"nobody-knows"),
        loss().document().replace(b"size 1280", b"size 01280"),
        loss().document().replace(b"-4111-", b"-1111-"),
        loss().document().replace(b"T02:", b"T99:"),
        loss(exchanges=tuple(f"{n:08x}-1111-4111-8111-111111111111" for n in range(1500))).document(),
    ],
)
def test_what_is_no_statement_of_loss_is_refused(content: bytes) -> None:
    with pytest.raises(PolicyRefused) as refused:
        read_loss(content)
    assert refused.value.reason is Reason.LOSS_MALFORMED


def test_a_thousand_exchanges_can_be_named() -> None:
    what = loss(exchanges=tuple(f"{n:08x}-1111-4111-8111-111111111111" for n in range(1000)))
    assert len(what.document()) <= LARGEST_LOSS
    assert read_loss(what.document()) == what


def test_a_leaf_is_judged_by_the_policy_of_its_time() -> None:
    _, force = first()
    what = loss().document()
    newer = replace(force, sha256="e" * 64, since=NOW + HOUR)
    approvals = approve(force, what)
    assert judge_recorded_loss((force, newer), what, approvals, NOW).officers == ("officer-1", "officer-3")
    # for a moment the process that wrote it may not have known the newer policy
    assert judge_recorded_loss((force, newer), what, approvals, NOW + HOUR + timedelta(seconds=1)).officers
    for history, at, reason in (
        ((force, newer), NOW + 2 * HOUR, Reason.APPROVAL_OF_ANOTHER),
        ((newer,), NOW, Reason.NOT_BEGUN),
    ):
        with pytest.raises(PolicyRefused) as refused:
            judge_recorded_loss(history, what, approvals, at)
        assert refused.value.reason is reason
