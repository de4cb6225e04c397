"""A person and a dead letter: with a reason, once, as evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.delivery.acts import OutboxActError, OutboxActs

from .test_outbox import write

if TYPE_CHECKING:
    from gateway.notices import Notice

    from .conftest import Post


def acts(post: Post) -> OutboxActs:
    return OutboxActs(
        post.outbox,
        post.sealing,
        post.journal,
        policy_sha256="00",
        expiry=timedelta(hours=2),
        clock=post.clock,
        randomness=post.randomness,
        unfit=lambda reason: "0000000000000" in reason,
    )


def dead(post: Post) -> Notice:
    notice = post.notice()
    post.post(notice)
    write(post, post.outbox.buried(post.claim()[0], "expired", asked=False))
    return notice


def test_a_letter_that_is_sent_again_has_a_new_time_to_live(post: Post) -> None:
    notice = dead(post)
    post.later(hours=1)
    acts(post).resend(notice.delivery, "le ministère a rétabli son service")
    [done] = post.journal.rounds
    assert (done.outcome, done.reason, done.attempts) == ("resent", "le ministère a rétabli son service", ())
    assert post.round(post.claim()[0]) == "delivered"
    [told] = post.ministry.effects
    assert told.message.fields["delivery"] == str(notice.delivery)
    assert post.journal.rounds[-1].notice.expires > notice.expires


def test_a_letter_that_is_given_up_is_gone_and_recorded(post: Post) -> None:
    notice = dead(post)
    acts(post).drop(notice.delivery, "place annulée")
    assert post.outbox.one(notice.delivery) is None
    assert [(done.outcome, done.reason) for done in post.journal.rounds] == [("dropped", "place annulée")]
    assert post.ministry.effects == []


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "deux\nlignes", "le NIREC 0000000000000"])
def test_without_a_fit_reason_nothing_is_done(post: Post, reason: str) -> None:
    notice = dead(post)
    with pytest.raises(OutboxActError, match="outbox_reason_unfit"):
        acts(post).drop(notice.delivery, reason)
    assert (post.journal.rounds, [one.state for one in post.outbox.listed(9)]) == ([], ["dead"])


def test_only_dead_letters_are_acted_on(post: Post) -> None:
    waiting = post.post(post.notice())
    with pytest.raises(OutboxActError, match="outbox_not_dead"):
        acts(post).resend(waiting, "trop lent")
    with pytest.raises(OutboxActError, match="outbox_unknown"):
        acts(post).drop(uuid4(), "inconnu")
    assert post.journal.rounds == []
