"""A person and a dead letter: with a reason, once, as evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.delivery.acts import OutboxActError, OutboxActs, UnfitReasonError
from gateway.errors import KeystoreError, Refusal

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


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("x" * 201, "long"),
        ("deux\nlignes", "unprintable"),
        ("d'un autre clavier \udce9", "unprintable"),
        ("le NIREC 0000000000000", "nirec"),
    ],
    ids=["empty", "blank", "long", "two_lines", "no_utf_8", "nirec"],
)
def test_without_a_fit_reason_nothing_is_done(post: Post, reason: str, why: str) -> None:
    notice = dead(post)
    with pytest.raises(UnfitReasonError, match=f"outbox_reason_{why}"):
        acts(post).drop(notice.delivery, reason)
    assert (post.journal.rounds, [one.state for one in post.outbox.listed(9)]) == ([], ["dead"])


def test_only_dead_letters_are_acted_on(post: Post) -> None:
    waiting = post.post(post.notice())
    with pytest.raises(OutboxActError, match="outbox_not_dead"):
        acts(post).resend(waiting, "trop lent")
    with pytest.raises(OutboxActError, match="outbox_unknown"):
        acts(post).drop(uuid4(), "inconnu")
    assert post.journal.rounds == []


def spoil(post: Post, notice: Notice) -> None:
    """Its row is not what was sealed any more."""
    with post.database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET content = ? WHERE id = ?", (b"x" * 40, notice.delivery.bytes))


@pytest.mark.parametrize("state", ["dead", "waiting"])
def test_one_that_does_not_open_is_given_up_with_what_is_known_of_it(post: Post, state: str) -> None:
    notice = dead(post) if state == "dead" else post.notice()
    later = post.notice()
    if state == "waiting":
        post.post(notice)
        assert [one.delivery for one in post.claim()] == [notice.delivery]  # a dispatcher is at it
    post.post(later)  # of the same child: it waits for the other
    spoil(post, notice)
    with pytest.raises(KeystoreError, match="outbox_sealed_otherwise"):
        acts(post).drop(notice.delivery, "clé perdue")
    acts(post).drop_unread(notice.delivery, "clé perdue")
    [told] = post.journal.unread
    assert (told.delivery, told.addressee, told.reason) == (notice.delivery, "ministry", "clé perdue")
    assert (told.accepted, told.expires) == (notice.accepted, notice.expires)
    assert post.outbox.one(notice.delivery) is None
    assert [one.delivery for one in post.claim()] == [later.delivery]


def test_one_that_opens_is_not_given_up_unread(post: Post) -> None:
    notice = dead(post)
    with pytest.raises(OutboxActError, match="outbox_opens"):
        acts(post).drop_unread(notice.delivery, "clé perdue")
    with pytest.raises(UnfitReasonError, match="outbox_reason_empty"):
        acts(post).drop_unread(notice.delivery, "")
    with pytest.raises(OutboxActError, match="outbox_unknown"):
        acts(post).drop_unread(uuid4(), "clé perdue")
    assert (post.journal.unread, [one.state for one in post.outbox.listed(9)]) == ([], ["dead"])


def test_one_that_is_sealed_anew_meanwhile_stays(post: Post) -> None:
    notice = dead(post)
    with pytest.raises(Refusal):
        write(post, post.outbox.dropped_unread(notice.delivery, b"x" * 40))
    assert [one.state for one in post.outbox.listed(9)] == ["dead"]
