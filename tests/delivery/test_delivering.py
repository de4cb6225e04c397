"""A round: what comes of it, and what holds after a crash at each of its stages (at least once; effects once)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.delivery.pace import Pace
from gateway.errors import Code
from gateway.model import UpstreamRefusal

from .conftest import CrashError

if TYPE_CHECKING:
    from gateway.notices import Outcome

    from .conftest import Post


def one_round(post: Post) -> Outcome | None:
    return post.round(post.claim()[0])


def test_what_is_delivered_is_gone_and_recorded(post: Post) -> None:
    notice = post.notice()
    post.post(notice)
    assert one_round(post) == "delivered"
    assert post.outbox.listed(10) == []
    [done] = post.journal.rounds
    assert (done.notice, done.outcome, done.reason, len(done.attempts)) == (notice, "delivered", None, 1)
    assert [told.message.fields["handle"] for told in post.ministry.effects] == [notice.subject.handle]
    assert post.families.told == [("ministry", notice.secrets)]


def test_a_failure_is_recorded_and_tried_again_later(post: Post) -> None:
    post.post(post.notice())
    post.ministry.mode = "down"
    assert one_round(post) == "failed"
    assert (post.claim(), post.families.told) == ([], [])
    assert [(done.outcome, done.reason, len(done.attempts)) for done in post.journal.rounds] == [
        ("failed", "upstream_timeout", 1)
    ]
    post.ministry.mode = "up"
    post.later(seconds=2)
    assert one_round(post) == "delivered"


def test_where_nothing_could_be_sent_nothing_is_recorded(post: Post) -> None:
    post.post(post.notice())
    post.ministry.mode = "away"
    with pytest.raises(UpstreamRefusal):
        one_round(post)
    assert (post.journal.rounds, post.outbox.listed(1)[0].attempts) == ([], 0)


def test_past_its_time_it_is_a_dead_letter_and_nobody_is_told(post: Post) -> None:
    post.post(post.notice(lives=timedelta(seconds=5)))
    post.later(seconds=5)
    assert one_round(post) == "dead"
    shown = post.outbox.listed(1)[0]
    assert (shown.state, shown.reason, shown.attempts, post.ministry.asked) == ("dead", "expired", 0, 0)


def test_what_could_be_tried_again_only_past_its_time_is_dead(post: Post) -> None:
    post.post(post.notice(lives=timedelta(milliseconds=400)))
    post.ministry.mode = "down"
    assert one_round(post) == "dead"
    shown = post.outbox.listed(1)[0]
    assert (shown.state, shown.reason, shown.attempts) == ("dead", "upstream_timeout", 1)


@pytest.mark.parametrize("code", [Code.NOT_AGREED, Code.AGREEMENT_NOT_IN_FORCE, Code.NOT_DELIVERABLE])
def test_who_may_not_be_told_any_more_is_not_told(post: Post, code: Code) -> None:
    post.post(post.notice())
    post.policy.refusal = code
    assert one_round(post) == "dead"
    assert (post.outbox.listed(1)[0].reason, post.ministry.asked) == (code.value, 0)


def test_what_waits_for_a_suspended_party_goes_on_waiting(post: Post) -> None:
    post.post(post.notice())
    post.policy.refusal = Code.PARTY_SUSPENDED  # since it was claimed
    with pytest.raises(UpstreamRefusal):
        one_round(post)
    assert (post.outbox.listed(1)[0].state, post.journal.rounds, post.ministry.asked) == ("waiting", [], 0)


@pytest.mark.parametrize("mode", ["up", "down"])
def test_nobody_buries_what_is_somebody_elses_by_now(post: Post, mode: str) -> None:
    """It stood still for longer than its lease: the log must not say dead of what another one has delivered."""
    post.post(post.notice(lives=timedelta(seconds=62)))
    [slow] = post.claim()
    post.later(seconds=61)
    [fast] = post.claim()
    assert post.round(fast) == "delivered"
    post.ministry.mode = mode
    if mode == "up":
        post.later(seconds=2)  # past its time
    assert post.round(slow) == (None if mode == "up" else "failed")
    assert post.journal.outcomes == ["delivered", "failed"][: 1 if mode == "up" else 2]


@pytest.mark.parametrize(
    ("stage", "asked", "recorded"),
    [
        ("after the claim", 1, ["delivered"]),
        ("before the effect", 2, ["delivered"]),
        ("after the effect", 2, ["delivered"]),
        ("before the record", 2, ["delivered"]),
        ("after the record", 1, ["delivered"]),
    ],
)
def test_a_crash_loses_nothing_and_repeats_no_effect(post: Post, stage: str, asked: int, recorded: list[str]) -> None:
    notice = post.post(post.notice())
    [claimed] = post.claim()
    if stage.endswith("effect"):
        post.ministry.mode = f"crash {stage}"
    post.journal.crash = stage
    if stage != "after the claim":
        with pytest.raises(CrashError):
            post.round(claimed)
    post.ministry.mode, post.journal.crash = "up", ""
    # another dispatcher, once the lease has ended
    assert post.claim() == []
    post.later(seconds=61)
    for one in post.claim():
        post.round(one)
    assert post.outbox.one(notice) is None
    assert [told.message.fields["delivery"] for told in post.ministry.effects] == [str(notice)]
    assert (post.ministry.asked, post.journal.outcomes) == (asked, recorded)


def test_two_who_both_deliver_record_both_and_the_effect_is_one(post: Post) -> None:
    post.post(post.notice())
    [slow] = post.claim()
    post.later(seconds=61)
    [fast] = post.claim()
    assert [post.round(one) for one in (fast, slow)] == ["delivered", "delivered"]
    assert (post.journal.outcomes, len(post.ministry.effects)) == (["delivered"] * 2, 1)


def test_waits_double_up_to_the_longest_and_half_of_each_is_chance(post: Post) -> None:
    class Chance:
        def __init__(self, byte: int) -> None:
            self.byte = byte

        def bytes(self, count: int) -> bytes:
            return bytes([self.byte]) * count

    pace, least, most = Pace(1, 60), Chance(0), Chance(255)
    assert [pace.wait(n, least).total_seconds() for n in (1, 2, 3, 6, 7, 1000)] == [0.5, 1, 2, 16, 30, 30]  # type: ignore[arg-type]  # the only method that is asked for
    assert round(pace.wait(7, most).total_seconds()) == 60  # type: ignore[arg-type]  # the same
