"""A notice at its acceptance: which delivery it is, by its key and by what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.change import Change
from gateway.delivery.accepting import Accepting
from gateway.effect import Effect
from gateway.errors import Code
from gateway.model import Grant
from gateway.subject import DisclosedSubject, Disclosure
from tests.guard.test_claims import message

if TYPE_CHECKING:
    from .conftest import Post

NOTHING = Change((), Code.IDEMPOTENCY_CONFLICT)
SAID = {"handle": "a" * 64, "addressee": "ministry", "event": "offered", "date": "2026-11-23"}


def accepted(post: Post, key: int | None, **said: str) -> str:
    """What is answered; the notice waits."""
    nothing = {"begun": NOTHING, "settled": NOTHING, "undone": NOTHING}
    effect = None if key is None else Effect(b"", "", bytes([key]) * 16, outside=False, **nothing)
    made = replace(message(post.clock, "n", party="cooperative"), fields={**SAID, **said})
    grant = Grant(made, "E", "p", frozenset(), tells_not_found=False, policy_sha256="00", effect=effect)
    subject = DisclosedSubject("1" * 64, "b" * 64)
    accepting = Accepting(
        post.outbox,
        post.sealing,
        lambda *_: Disclosure((subject,), (), (b"s" * 32,)),
        lambda *_: True,
        post.randomness,
        timedelta(hours=1),
    )
    reply = accepting.call(grant)
    with post.database.writing() as connection:
        for change in reply.changes:
            for each in change.statements:
                connection.exec_driver_sql(each.text, each.values)
    return str(reply.fields["delivery"])


def test_asked_again_under_its_key_it_is_the_same_delivery(post: Post) -> None:
    assert accepted(post, 1) == accepted(post, 1)
    assert len(post.outbox.listed(10)) == 1


@pytest.mark.parametrize("said", [{"event": "ended"}, {"handle": "c" * 64}, {"date": "2026-11-24"}])
def test_a_key_that_was_forgotten_and_stands_for_another_notice_loses_neither(post: Post, said: dict[str, str]) -> None:
    assert accepted(post, 1) != accepted(post, 1, **said)
    assert len(post.outbox.listed(10)) == 2


@pytest.mark.parametrize("other", [2, None])
def test_another_key_is_another_delivery(post: Post, other: int | None) -> None:
    assert accepted(post, 1) != accepted(post, other)
    assert len(post.outbox.listed(10)) == 2


def test_what_waits_holds_its_child_s_secret_sealed(post: Post) -> None:
    accepted(post, 1)
    [claimed] = post.claim()
    assert post.sealing.open(claimed.delivery, claimed.content).secrets == (b"s" * 32,)
    assert b"s" * 32 not in claimed.content
