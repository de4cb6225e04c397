"""Whether a new policy may take the place of the one in force: each refusal with its reason (P1, P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import ConfigurationError
from gateway.messages.catalogue import texts
from gateway.policy.acts import ActKind
from gateway.policy.bundle import LARGEST_POLICY, read_bundle
from gateway.policy.judge import check_proposal, earliest, judge
from gateway.policy.reasons import PolicyRefused, Reason
from tests.policy.made import (
    HOUR,
    NOW,
    Policy,
    approval,
    content,
    digest_of,
    drop,
    first,
    following,
    officer,
    policy,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.policy.judge import Proposed

NARROWS = put("agreements", "ENT-1", "fields", value=["outcome"])
WIDENS = put("agreements", "ENT-1", "fields", value=["outcome", "handle", "name"])
RECOVERS = put("officers", "keys", value={name: officer(name).public for name in ("new-1", "new-2")})
BEFORE = first()[1]
DAY = 24 * HOUR


def _shared(made: Policy) -> object:
    """The very object that stands elsewhere in the document: YAML writes an alias for it."""
    return made["agreements"]["ENT-1"]["validity"]


def proposal(*edits: Callable[[Policy], None]) -> tuple[bytes, Proposed]:
    made = following(BEFORE, *edits)
    return made, check_proposal(BEFORE, made)


def refused_proposal(made: bytes) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as refused:
        check_proposal(BEFORE, made)
    return refused.value


def reason_of(proposed: Proposed, approvals: list[bytes], **times: Any) -> Reason:
    with pytest.raises(PolicyRefused) as refused:
        judge(BEFORE, proposed, approvals, times.get("proposed_at", NOW), times.get("at", NOW))
    return refused.value.reason


def test_two_of_three_officers_narrow_at_once() -> None:
    made, proposed = proposal(NARROWS)
    assert not proposed.widens
    signed = [approval(who, BEFORE, made) for who in ("officer-3", "officer-1")]
    assert judge(BEFORE, proposed, signed, NOW, NOW) == ("officer-1", "officer-3")


def test_widening_waits_for_the_delay_of_the_policy_in_force() -> None:
    made, proposed = proposal(WIDENS, put("officers", "widening_delay_hours", value=0))
    assert proposed.widens
    signed = [approval(who, BEFORE, made) for who in ("officer-1", "officer-2", "officer-3")]
    at = earliest(BEFORE, proposed, NOW)
    assert at == NOW + DAY
    assert reason_of(proposed, signed, at=at - HOUR / 3600) is Reason.WIDENING_TOO_EARLY
    assert judge(BEFORE, proposed, signed, NOW, at) == ("officer-1", "officer-2", "officer-3")


def test_break_glass_by_two_officers_waits_for_no_delay_inside_what_waited_before() -> None:
    """P2: the ceiling and the time were signed with the policy in force; one officer is too few all the same."""
    glass = {"subjects": 100, "window_hours": 24, "break_glass": {"subjects": 50, "hours": 12}}
    night = {"since": "2026-11-23T02:00:00Z", "until": "2026-11-23T14:00:00Z"}
    _, before = first(put("agreements", "ENT-1", "budget", value=glass))
    for subjects, due in ((50, NOW), (51, NOW + DAY)):
        more = glass | {"raised": {"subjects": subjects, "validity": night}}
        more |= {"break_glass": {"subjects": 99, "hours": 12}} if subjects > 50 else {}
        made = following(before, put("agreements", "ENT-1", "budget", value=more))
        proposed = check_proposal(before, made)
        assert earliest(before, proposed, NOW) == due
        signed = [approval(who, before, made) for who in ("officer-1", "officer-2")]
        assert judge(before, proposed, signed, NOW, due) == ("officer-1", "officer-2")
        with pytest.raises(PolicyRefused) as refused:
            judge(before, proposed, signed[:1], NOW, due)
        assert refused.value.reason is Reason.APPROVALS_TOO_FEW


def test_what_both_narrows_and_widens_waits() -> None:
    made, proposed = proposal(NARROWS, put("agreements", "ENT-1", "tells_not_found", value=True))
    signed = [approval(who, BEFORE, made) for who in ("officer-1", "officer-2")]
    assert reason_of(proposed, signed) is Reason.WIDENING_TOO_EARLY


# --- what is no proposal ----------------------------------------------------------------------------------------


_PROPOSALS: dict[str, tuple[bytes, Reason]] = {
    "origin": (following(BEFORE, NARROWS, put("origin", value="another.example")), Reason.ORIGIN_DIFFERS),
    "version_reused": (following(BEFORE, NARROWS, version=1), Reason.VERSION_REUSED),
    "previous_hash_wrong": (following(BEFORE, NARROWS, put("previous", value="c" * 64)), Reason.PREVIOUS_DIFFERS),
    "previous_hash_missing": (following(BEFORE, NARROWS, put("previous", value=None)), Reason.PREVIOUS_DIFFERS),
    "nothing_changed": (following(BEFORE), Reason.POLICY_UNCHANGED),
    "overlapping_agreements": (
        following(BEFORE, put("agreements", "ENT-9", value=policy()["agreements"]["ENT-1"] | {"fields": ["outcome"]})),
        Reason.AGREEMENTS_OVERLAP,
    ),
    "overlapping_in_one_purpose_for_a_day": (
        following(
            BEFORE,
            put("agreements", "ENT-9", value=policy()["agreements"]["ENT-1"] | {
                "purposes": ["autre", "admissibilite"],
                "validity": {"since": "2027-10-31T00:00:00Z", "until": "2028-01-01T00:00:00Z"},
            }),
        ),
        Reason.AGREEMENTS_OVERLAP,
    ),
    "unknown_party": (following(BEFORE, put("agreements", "ENT-1", "party", value="nobody")), Reason.POLICY_INVALID),
    "rule_without_fields": (following(BEFORE, put("agreements", "ENT-1", "fields", value=[])), Reason.POLICY_INVALID),
    "rule_without_purpose": (
        following(BEFORE, put("agreements", "ENT-1", "purposes", value=[])), Reason.POLICY_INVALID,
    ),
    "ends_before_it_begins": (
        following(BEFORE, put("validity", "until", value="2026-10-01T00:00:00Z")), Reason.POLICY_INVALID,
    ),
    "two_officers_with_one_key": (
        following(BEFORE, put("officers", "keys", "officer-4", value=officer("officer-1").public)),
        Reason.POLICY_INVALID,
    ),
    "recovery_with_an_officer_s_key": (
        following(BEFORE, put("officers", "recovery", "last-9", value=officer("officer-1").public)),
        Reason.POLICY_INVALID,
    ),
    "one_officer_is_enough": (following(BEFORE, put("officers", "threshold", value=1)), Reason.POLICY_INVALID),
    "one_officer_of_last_resort_is_enough": (
        following(BEFORE, put("officers", "recovery_threshold", value=1)), Reason.POLICY_INVALID,
    ),
    "recovery_without_threshold": (following(BEFORE, drop("officers", "recovery_threshold")), Reason.POLICY_INVALID),
    "recovery_without_delay": (following(BEFORE, drop("officers", "recovery_delay_hours")), Reason.POLICY_INVALID),
    "recovery_threshold_above_their_number": (
        following(BEFORE, put("officers", "recovery_threshold", value=4)), Reason.POLICY_INVALID,
    ),
    "recovery_sooner_than_widening": (
        following(BEFORE, put("officers", "recovery_delay_hours", value=23)), Reason.POLICY_INVALID,
    ),
    "threshold_of_nobody": (following(BEFORE, put("officers", "recovery", value={})), Reason.POLICY_INVALID),
    "key_that_is_none": (following(BEFORE, put("officers", "keys", "officer-1", value="AAAA")), Reason.POLICY_INVALID),
    "key_of_small_order": (
        following(BEFORE, put("officers", "keys", "officer-1", value="A" * 43 + "=")), Reason.POLICY_INVALID,
    ),
    "authority_that_is_no_certificate": (
        following(BEFORE, put("authorities", "ministry", "roots", value=["-----BEGIN CERTIFICATE-----\n"])),
        Reason.POLICY_INVALID,
    ),
    "one_name_of_two_parties": (
        following(BEFORE, put("parties", "twin", value=policy()["parties"]["ministry"])), Reason.POLICY_INVALID,
    ),
    "delay_beyond_all_times": (
        following(BEFORE, put("officers", "widening_delay_hours", value=10**15)), Reason.POLICY_INVALID,
    ),
    "garbage": (bytes(range(256)), Reason.POLICY_INVALID),
    "empty": (b"", Reason.POLICY_INVALID),
    "nul": (following(BEFORE, NARROWS) + b"\0", Reason.POLICY_INVALID),
    "a_repeated_key": (following(BEFORE, NARROWS) + b"version: 3\n", Reason.POLICY_INVALID),
    "ten_megabytes": (b"#" * 10_000_000, Reason.POLICY_TOO_LARGE),
    "nested": (b"[" * 100_000, Reason.POLICY_INVALID),
    "an_alias": (following(BEFORE, NARROWS, lambda p: p.update(validity=_shared(p))), Reason.POLICY_INVALID),
    "bomb_of_aliases": (
        b"a: &a {x: 1}\n" + b"".join(
            b"%c: &%c {<<: [%s]}\n" % (97 + i, 97 + i, b", ".join([b"*%c" % (96 + i)] * 9)) for i in range(1, 20)
        ),
        Reason.POLICY_INVALID,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _PROPOSALS)
def test_a_proposal_is_refused_with_its_reason(case: str) -> None:
    made, reason = _PROPOSALS[case]
    assert refused_proposal(made).reason is reason


def test_the_policy_with_an_alias_is_sound_but_for_it() -> None:
    shared = following(BEFORE, NARROWS, lambda p: p.update(validity=_shared(p)))
    assert b"*id001" in shared
    assert check_proposal(BEFORE, following(BEFORE, NARROWS)).sha256 != digest_of(shared)


def test_where_a_policy_is_wrong_is_said() -> None:
    refused = refused_proposal(_PROPOSALS["rule_without_fields"][0])
    assert refused.values["where"] == "agreements.ENT-1.fields"


def test_agreements_that_only_touch_do_not_overlap() -> None:
    later = policy()["agreements"]["ENT-1"] | {
        "validity": {"since": "2027-11-01T00:00:00Z", "until": "2028-11-01T00:00:00Z"}
    }
    other_purpose = policy()["agreements"]["ENT-1"] | {"purposes": ["autre"]}
    other_party = policy()["agreements"]["ENT-1"] | {"party": "cooperative"}
    for word, agreement in (("L", later), ("P", other_purpose), ("O", other_party)):
        _, proposed = proposal(put("agreements", word, value=agreement))
        assert proposed.widens


def test_one_officer_is_enough_in_development_alone() -> None:
    single = put("officers", "threshold", value=1)
    bundle, _ = read_bundle(content(policy(single, put("origin", value="passerelle.development"))))
    assert bundle.officers.single
    for origin in ("passerelle.example", "development", "passerelle.development.example"):
        with pytest.raises(ConfigurationError):
            read_bundle(content(policy(single, put("origin", value=origin))))


def test_the_largest_policy_is_read() -> None:
    made = following(BEFORE, NARROWS)
    padded = made + b"#" * (LARGEST_POLICY - len(made))
    assert check_proposal(BEFORE, padded).sha256 == digest_of(padded)
    assert refused_proposal(padded + b"#").reason is Reason.POLICY_TOO_LARGE


# --- who may approve ----------------------------------------------------------------------------------------------


MADE, PROPOSED = proposal(NARROWS)
_OTHER = proposal(WIDENS)[0]
_GOOD = approval("officer-1", BEFORE, MADE)


def _by(who: str, **changes: Any) -> bytes:
    return approval(who, BEFORE, MADE, **changes)


_APPROVALS: dict[str, tuple[list[bytes], Reason]] = {
    "none": ([], Reason.APPROVALS_TOO_FEW),
    "one": ([_GOOD], Reason.APPROVALS_TOO_FEW),
    "one_officer_twice": ([_GOOD, _by("officer-1", at=NOW - HOUR / 2)], Reason.APPROVAL_REPEATED),
    "one_file_twice": ([_GOOD, _GOOD], Reason.APPROVAL_REPEATED),
    "former_officer": ([_GOOD, _by("former")], Reason.APPROVAL_NOT_BY_OFFICER),
    "officer_of_last_resort": ([_GOOD, _by("last-1")], Reason.APPROVAL_NOT_BY_OFFICER),
    "in_another_s_name": ([_GOOD, _by("officer-2", by="officer-1")], Reason.APPROVAL_SIGNATURE_WRONG),
    "one_too_many_that_is_wrong": (
        [_GOOD, _by("officer-2"), _by("officer-3", by="former")], Reason.APPROVAL_SIGNATURE_WRONG,
    ),
    "another_bundle": ([_GOOD, approval("officer-2", BEFORE, _OTHER)], Reason.APPROVAL_OF_ANOTHER),
    "another_origin": ([_GOOD, _by("officer-2", origin="another.example")], Reason.APPROVAL_OF_ANOTHER),
    "another_version": ([_GOOD, _by("officer-2", version=3)], Reason.APPROVAL_OF_ANOTHER),
    "another_previous": ([_GOOD, _by("officer-2", previous="c" * 64)], Reason.APPROVAL_OF_ANOTHER),
    "another_act": ([_GOOD, _by("officer-2", kind=ActKind.LOCKDOWN_OFF)], Reason.APPROVAL_OF_ANOTHER),
    "recovery_mixed_in": ([_GOOD, _by("last-1", kind=ActKind.RECOVERY)], Reason.APPROVAL_OF_ANOTHER),
    "garbage": ([_GOOD, b"\0" * 100], Reason.APPROVAL_MALFORMED),
    "from_the_future": ([_GOOD, _by("officer-2", at=NOW + HOUR / 59)], Reason.APPROVAL_DATE_WRONG),
    "from_before_the_policy_in_force": (
        [_GOOD, _by("officer-2", at=BEFORE.since - HOUR / 3600)], Reason.APPROVAL_DATE_WRONG,
    ),
    "a_flood": ([_GOOD] * 65, Reason.APPROVALS_TOO_MANY),
}  # fmt: skip


@pytest.mark.parametrize("case", _APPROVALS)
def test_approvals_are_refused_with_their_reason(case: str) -> None:
    approvals, reason = _APPROVALS[case]
    assert judge(BEFORE, PROPOSED, [_GOOD, _by("officer-2")], NOW, NOW) == ("officer-1", "officer-2")
    assert reason_of(PROPOSED, approvals) is reason


def test_an_officer_s_clock_may_be_a_minute_ahead() -> None:
    signed = [_GOOD, _by("officer-2", at=NOW + HOUR / 60)]
    assert judge(BEFORE, PROPOSED, signed, NOW, NOW) == ("officer-1", "officer-2")


def test_a_repeated_approval_does_no_harm_where_others_are_enough() -> None:
    assert judge(BEFORE, PROPOSED, [_GOOD, _GOOD, _by("officer-2")], NOW, NOW) == ("officer-1", "officer-2")


def test_who_counts_is_said_by_the_previous_bundle() -> None:
    """A bundle that makes its own signers officers, or asks for fewer of them, is not judged by itself."""
    origin = put("origin", value="passerelle.development")
    _, before = first(origin)
    made = following(
        before,
        origin,
        put("officers", "threshold", value=1),
        put("officers", "keys", "new", value=officer("new").public),
    )
    proposed = check_proposal(before, made)
    for signed, reason in (
        ([approval("officer-1", before, made)], Reason.APPROVALS_TOO_FEW),
        ([approval("officer-1", before, made), approval("new", before, made)], Reason.APPROVAL_NOT_BY_OFFICER),
    ):
        with pytest.raises(PolicyRefused) as refused:
            judge(before, proposed, signed, NOW, NOW + DAY)
        assert refused.value.reason is reason


def test_in_force_only_between_its_dates() -> None:
    begins, ends = "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"
    made, proposed = proposal(put("validity", "since", value=begins), put("validity", "until", value=ends))
    assert not proposed.widens
    signed = [approval(who, BEFORE, made) for who in ("officer-1", "officer-2")]
    validity = proposed.bundle.validity
    assert earliest(BEFORE, proposed, NOW) == validity.since
    assert reason_of(proposed, signed, at=validity.since - HOUR / 3600) is Reason.NOT_IN_FORCE
    assert judge(BEFORE, proposed, signed, NOW, validity.since) == ("officer-1", "officer-2")
    assert reason_of(proposed, signed, at=validity.until) is Reason.EXPIRED


# --- recovery -----------------------------------------------------------------------------------------------------


def _last(made: bytes, *names: str) -> list[bytes]:
    return [approval(name, BEFORE, made, kind=ActKind.RECOVERY) for name in names]


def test_officers_of_last_resort_replace_the_officers_after_their_delay() -> None:
    made, proposed = proposal(RECOVERS)
    at = earliest(BEFORE, proposed, NOW, recovery=True)
    assert at == NOW + 3 * DAY
    signed = _last(made, "last-1", "last-2")
    assert reason_of(proposed, signed, at=at - HOUR / 3600) is Reason.RECOVERY_TOO_EARLY
    assert judge(BEFORE, proposed, signed, NOW, at) == ("last-1", "last-2")


def test_a_recovery_waits_even_where_it_narrows() -> None:
    made, proposed = proposal(drop("officers", "keys", "officer-3"))
    assert not proposed.widens
    assert reason_of(proposed, _last(made, "last-1", "last-3")) is Reason.RECOVERY_TOO_EARLY


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["last-1"], Reason.APPROVALS_TOO_FEW),
        (["last-1", "last-1"], Reason.APPROVAL_REPEATED),
        (["last-1", "officer-1"], Reason.APPROVAL_NOT_BY_OFFICER),
        (["officer-1", "officer-2"], Reason.APPROVAL_NOT_BY_OFFICER),
    ],
)
def test_a_recovery_by_others(names: list[str], reason: Reason) -> None:
    made, proposed = proposal(RECOVERS)
    assert reason_of(proposed, _last(made, *names), at=NOW + 3 * DAY) is reason


@pytest.mark.parametrize("edit", [NARROWS, WIDENS, put("validity", "until", value="2028-01-01T00:00:00Z")])
def test_a_recovery_changes_nothing_but_the_officers(edit: Callable[[Policy], None]) -> None:
    made, proposed = proposal(RECOVERS, edit)
    signed = _last(made, "last-1", "last-2")
    assert reason_of(proposed, signed, at=NOW + 3 * DAY) is Reason.RECOVERY_CHANGES_MORE


def test_without_a_recovery_set_there_is_no_recovery() -> None:
    none = [
        put("officers", "recovery", value={}), drop("officers", "recovery_threshold"),
        drop("officers", "recovery_delay_hours"),
    ]  # fmt: skip
    _, before = first(*none)
    made = following(before, *none, RECOVERS)
    signed = [approval("last-1", before, made, kind=ActKind.RECOVERY)]
    with pytest.raises(PolicyRefused) as refused:
        judge(before, check_proposal(before, made), signed, NOW, NOW + 365 * DAY)
    assert refused.value.reason is Reason.APPROVAL_NOT_BY_OFFICER


def test_officers_are_recovered_under_a_policy_that_expired_meanwhile() -> None:
    made, proposed = proposal(RECOVERS)
    at = BEFORE.bundle.validity.until + DAY
    assert judge(BEFORE, proposed, _last(made, "last-1", "last-2"), NOW, at) == ("last-1", "last-2")


def test_every_reason_has_its_sentence() -> None:
    assert {f"problem.policy.{reason.value}" for reason in Reason} == {
        key for key in texts() if key.startswith("problem.policy.")
    }
