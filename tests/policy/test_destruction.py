"""What may be destroyed: due by the policy, audited, and signed by enough officers (L9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.acts import ActKind
from gateway.policy.destruction import (
    BUNDLE,
    Destruction,
    destruction_act,
    due_date,
    judge_destruction,
    judge_recorded,
    read_destruction,
)
from gateway.policy.judge import InForce
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.verdict import SignedVerdict, Verdict, read_verdict
from tests.policy.made import HOUR, NOW, ORIGIN, bundle, content, drop, first, officer, policy, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: 60 months after September 2021 has ended, and a day.
DUE = datetime(2026, 10, 1, tzinfo=UTC)
PERIOD = 202109


def verdict(signer: str = "auditor-1", **changes: Any) -> bytes:
    said: dict[str, Any] = {
        "origin": ORIGIN, "first": 0, "end": 1000, "root": "c" * 64, "report": "d" * 64, "auditor": "auditor-1",
        "at": NOW,
    }  # fmt: skip
    made = Verdict(**(said | changes))
    key: Any = officer(signer).key
    return SignedVerdict(made, key.sign(made.text())).document()


def document(signed: bytes, **changes: Any) -> bytes:
    said: dict[str, Any] = {
        "origin": ORIGIN, "period": PERIOD, "first": 0, "end": 3 * BUNDLE, "due": DUE,
        "verdict": sha256(signed).hexdigest(),
    }  # fmt: skip
    return Destruction(**(said | changes)).document()


def approve(
    force: InForce, what: bytes, names: Sequence[str] = ("officer-1", "officer-3"), **changes: Any
) -> list[bytes]:
    return [
        officer(name).sign(replace(destruction_act(force, what, name, NOW), **changes)).document() for name in names
    ]


def judged(force: InForce, what: bytes, signed: bytes, approvals: list[bytes], at: datetime = NOW) -> object:
    """What it allows, or the word by which it is refused."""
    try:
        return judge_destruction(force, what, signed, approvals, at)
    except PolicyRefused as refused:
        return refused.reason


def test_what_is_due_audited_and_signed_is_allowed() -> None:
    _, force = first()
    signed = verdict()
    allowed = judge_destruction(force, document(signed), signed, approve(force, document(signed)), NOW)
    assert (allowed.officers, allowed.auditor) == (("officer-1", "officer-3"), "auditor-1")
    assert (allowed.destruction.period, allowed.destruction.end) == (PERIOD, 3 * BUNDLE)


def test_the_due_date_is_so_many_months_after_the_period_has_ended() -> None:
    assert due_date(202611, 1) == datetime(2027, 1, 1, tzinfo=UTC)
    assert due_date(202612, 1) == datetime(2027, 2, 1, tzinfo=UTC)
    assert due_date(202609, 60) == datetime(2031, 10, 1, tzinfo=UTC)
    assert due_date(PERIOD, 60) == DUE


def test_not_a_moment_before_it_is_due() -> None:
    _, force = first(put("validity", "since", value="2026-01-01T00:00:00Z"))
    force = replace(force, since=datetime(2026, 1, 1, tzinfo=UTC))
    signed = verdict(at=DUE - HOUR)
    what = document(signed)
    approvals = approve(force, what, at=DUE - HOUR)
    assert judged(force, what, signed, approvals, DUE - timedelta(microseconds=1)) == Reason.DESTRUCTION_TOO_EARLY
    assert judge_destruction(force, what, signed, approvals, DUE).destruction.due == DUE


_WRONG: dict[str, tuple[dict[str, Any], Reason]] = {
    "another_origin": ({"origin": "other.example"}, Reason.ORIGIN_DIFFERS),
    "an_earlier_date": ({"due": DUE - timedelta(days=31)}, Reason.DESTRUCTION_DUE_DIFFERS),
    "a_later_date": ({"due": DUE + timedelta(days=31)}, Reason.DESTRUCTION_DUE_DIFFERS),
    "a_later_period": ({"period": 202612, "due": due_date(202612, 60)}, Reason.DESTRUCTION_TOO_EARLY),
    "another_verdict": ({"verdict": "e" * 64}, Reason.VERDICT_DIFFERS),
    "more_than_was_audited": ({"end": 4 * BUNDLE}, Reason.VERDICT_OF_ANOTHER),
}


@pytest.mark.parametrize("case", _WRONG)
def test_a_wrong_request_is_refused(case: str) -> None:
    changes, reason = _WRONG[case]
    _, force = first()
    signed = verdict()
    what = document(signed, **changes)
    assert judged(force, what, signed, approve(force, what)) == reason


_VERDICTS: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "of_a_stranger": (lambda: verdict(auditor="auditor-2"), Reason.VERDICT_NOT_BY_AUDITOR),
    "of_an_officer": (lambda: verdict("officer-1", auditor="officer-1"), Reason.VERDICT_NOT_BY_AUDITOR),
    "by_another_key": (lambda: verdict("officer-1"), Reason.VERDICT_SIGNATURE_WRONG),
    "of_another_log": (lambda: verdict(origin="other.example"), Reason.VERDICT_OF_ANOTHER),
    "that_begins_later": (lambda: verdict(first=1), Reason.VERDICT_OF_ANOTHER),
    "that_ends_before": (lambda: verdict(end=3 * BUNDLE - 1), Reason.VERDICT_OF_ANOTHER),
    "from_the_future": (lambda: verdict(at=NOW + HOUR), Reason.VERDICT_DATE_WRONG),
    "that_does_not_hold": (lambda: verdict().replace(b"verdict holds", b"verdict fails"), Reason.VERDICT_MALFORMED),
    "with_another_root": (lambda: verdict().replace(b"c" * 64, b"f" * 64), Reason.VERDICT_SIGNATURE_WRONG),
    "with_more_after_it": (lambda: verdict() + b"\n", Reason.VERDICT_MALFORMED),
    "of_nothing": (lambda: b"", Reason.VERDICT_MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("case", _VERDICTS)
def test_a_wrong_verdict_is_refused(case: str) -> None:
    make, reason = _VERDICTS[case]
    _, force = first()
    signed = make()
    what = document(signed)
    assert judged(force, what, signed, approve(force, what)) == reason


_APPROVALS: dict[str, tuple[Callable[[InForce, bytes], list[bytes]], Reason]] = {
    "none": (lambda _f, _w: [], Reason.APPROVALS_TOO_FEW),
    "one": (lambda f, w: approve(f, w, ["officer-1"]), Reason.APPROVALS_TOO_FEW),
    "one_twice": (lambda f, w: approve(f, w, ["officer-1", "officer-1"]), Reason.APPROVAL_REPEATED),
    "of_last_resort": (lambda f, w: approve(f, w, ["last-1", "last-2"]), Reason.APPROVAL_NOT_BY_OFFICER),
    "the_auditor_s": (lambda f, w: approve(f, w, ["officer-1", "auditor-1"]), Reason.APPROVAL_NOT_BY_OFFICER),
    "of_a_policy": (lambda f, w: approve(f, w, kind=ActKind.POLICY), Reason.APPROVAL_OF_ANOTHER),
    "of_another_request": (lambda f, w: approve(f, w + b" "), Reason.APPROVAL_OF_ANOTHER),
    "of_another_log": (lambda f, w: approve(f, w, origin="other.example"), Reason.APPROVAL_OF_ANOTHER),
    "under_a_former_policy": (lambda f, w: approve(f, w, previous="a" * 64), Reason.APPROVAL_OF_ANOTHER),
    "from_before_the_policy": (lambda f, w: approve(f, w, at=NOW - 2 * HOUR), Reason.APPROVAL_DATE_WRONG),
    "from_the_future": (lambda f, w: approve(f, w, at=NOW + HOUR), Reason.APPROVAL_DATE_WRONG),
    "one_that_is_none": (lambda f, w: [*approve(f, w), b"yes"], Reason.APPROVAL_MALFORMED),
    "a_flood": (lambda f, w: approve(f, w, ["officer-1"] * 65), Reason.APPROVALS_TOO_MANY),
}


@pytest.mark.parametrize("case", _APPROVALS)
def test_wrong_approvals_are_refused(case: str) -> None:
    make, reason = _APPROVALS[case]
    _, force = first()
    signed = verdict()
    what = document(signed)
    assert judged(force, what, signed, make(force, what)) == reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (drop("retention"), Reason.RETENTION_NOT_SET),
        (put("validity", "until", value="2026-11-02T00:00:00Z"), Reason.EXPIRED),
        (put("validity", "since", value="2026-12-01T00:00:00Z"), Reason.NOT_IN_FORCE),
    ],
    ids=["no_retention", "ended", "not_begun"],
)
def test_a_policy_that_does_not_let_it(edit: Callable[[dict[str, Any]], None], reason: Reason) -> None:
    _, force = first(edit)
    signed = verdict()
    what = document(signed)
    assert judged(force, what, signed, approve(force, what)) == reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"passerelle-destruction/v1", b"passerelle-destruction/v2"),
        (b"period 202109", b"period 202113"),
        (b"period 202109", b"period 2109"),
        (b"first 0", b"first 1"),
        (b"first 0", b"first 00"),
        (b"first 0", b"first 768"),
        (b"end 768", b"end 767"),
        (b"end 768", b"end +768"),
        (b"due 2026-10-01T00:00:00.000000Z", b"due 2026-10-01T00:00:00.00000+Z"),
        (b"\nverdict", b"\n\nverdict"),
        (b"end 768\n", b"end 768\r\n"),
    ],
)
def test_a_request_has_one_form(old: bytes, new: bytes) -> None:
    made = document(verdict())
    assert old in made
    assert read_destruction(made).document() == made
    with pytest.raises(PolicyRefused) as refused:
        read_destruction(made.replace(old, new))
    assert refused.value.reason is Reason.DESTRUCTION_MALFORMED


def test_a_verdict_has_one_form() -> None:
    made = verdict()
    assert read_verdict(made).document() == made


def test_an_auditor_is_no_officer() -> None:
    with pytest.raises(Exception, match="an auditor has the key of an officer"):
        bundle(put("retention", "auditors", value={"auditor-1": officer("last-1").public}))


def test_a_leaf_is_judged_by_the_policy_of_its_time() -> None:
    _, old = first()
    made = content(policy(put("version", value=2), put("previous", value=old.sha256), drop("retention")))
    new = InForce(bundle(drop("retention")), sha256(made).hexdigest(), NOW + HOUR)
    signed = verdict()
    what = document(signed)
    texts = (what, signed, approve(old, what))
    assert judge_recorded([old, new], 1000, *texts, NOW).auditor == "auditor-1"
    # whoever wrote it may not have seen the other yet
    assert judge_recorded([old, new], 1000, *texts, NOW + HOUR + timedelta(seconds=1)).auditor == "auditor-1"
    for history, at, reason in (
        ([old, new], NOW + HOUR + timedelta(seconds=2), Reason.RETENTION_NOT_SET),
        ([old], NOW - 2 * HOUR, Reason.NOT_BEGUN),
        ([], NOW, Reason.NOT_BEGUN),
    ):
        with pytest.raises(PolicyRefused) as refused:
            judge_recorded(history, 1000, *texts, at)
        assert refused.value.reason is reason


def test_a_leaf_speaks_only_of_what_stands_before_it() -> None:
    _, force = first()
    signed = verdict()
    what = document(signed)
    assert judge_recorded([force], 3 * BUNDLE, what, signed, approve(force, what), NOW)
    with pytest.raises(PolicyRefused) as refused:
        judge_recorded([force], 3 * BUNDLE - 1, what, signed, approve(force, what), NOW)
    assert refused.value.reason is Reason.DESTRUCTION_NOT_PUBLISHED
