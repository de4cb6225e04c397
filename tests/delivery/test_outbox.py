"""The outbox on both databases: who claims what, for how long, in which order; what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import KeystoreError, Refusal
from gateway.storage import make_change

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.change import Change

    from .conftest import Post


def write(post: Post, change: Change) -> None:
    with post.database.writing(alone=True) as connection:
        make_change(connection, change)


def claimed(post: Post, most: int = 10) -> list[UUID]:
    return [one.delivery for one in post.claim(most)]


def test_the_oldest_are_claimed_and_by_one_only(post: Post) -> None:
    first, second, third = (post.post(post.notice(child)) for child in (1, 2, 3))
    assert claimed(post, 2) == [first, second]
    assert claimed(post) == [third]
    assert claimed(post) == []


def test_a_lease_that_ended_is_anybodys(post: Post) -> None:
    notice = post.post(post.notice())
    assert claimed(post) == [notice]
    post.later(seconds=59)
    assert claimed(post) == []
    post.later(seconds=2)
    assert claimed(post) == [notice]


def test_what_is_given_back_is_claimed_at_once(post: Post) -> None:
    notice = post.post(post.notice())
    one = post.claim()[0]
    post.outbox.give_back([one])
    again = post.claim()[0]
    assert (again.delivery, again.lease == one.lease) == (notice, False)
    post.outbox.give_back([one])  # whose lease it is no more
    assert claimed(post) == []


def test_a_childs_notices_wait_for_each_other_and_no_others(post: Post) -> None:
    first, second = post.post(post.notice(1)), post.post(post.notice(1))
    other, elsewhere = post.post(post.notice(2)), post.post(post.notice(1, "ramq"))
    assert claimed(post) == [first, other]
    assert [one.delivery for one in post.claim(party="ramq")] == [elsewhere]
    post.later(seconds=61)
    one = next(one for one in post.claim() if one.delivery == first)
    write(post, post.outbox.later(one, post.clock.now(), "upstream_timeout"))
    assert claimed(post, 1) == [first]  # a failure lets nobody pass
    post.later(seconds=61)
    one = next(one for one in post.claim() if one.delivery == first)
    write(post, post.outbox.delivered(one))
    assert second in claimed(post)


def test_a_dead_letter_holds_nobody_up(post: Post) -> None:
    post.post(post.notice(1))
    second = post.post(post.notice(1))
    write(post, post.outbox.buried(post.claim()[0], "expired", asked=False))
    assert claimed(post) == [second]


def test_a_failure_is_counted_and_due_later(post: Post) -> None:
    notice = post.post(post.notice())
    one = post.claim()[0]
    write(post, post.outbox.later(one, post.clock.now().replace(year=2999), "upstream_timeout"))
    shown = post.outbox.listed(10)[0]
    assert (shown.delivery, shown.attempts, shown.reason, shown.due.year) == (notice, 1, "upstream_timeout", 2999)
    assert claimed(post) == []


def test_whoever_lost_its_lease_changes_nothing_but_a_delivery(post: Post) -> None:
    post.post(post.notice())
    late = post.claim()[0]
    post.later(seconds=61)
    holder = post.claim()[0]
    write(post, post.outbox.later(late, post.clock.now(), "upstream_timeout"))
    with pytest.raises(Refusal):
        write(post, post.outbox.buried(late, "upstream_timeout", asked=True))
    shown = post.outbox.listed(10)[0]
    assert (shown.state, shown.attempts, shown.leased_until is None) == ("waiting", 0, False)
    write(post, post.outbox.delivered(late))  # its addressee has it, whoever asks next
    assert post.outbox.one(holder.delivery) is None


def test_only_a_dead_letter_is_sent_again_or_given_up(post: Post) -> None:
    notice = post.notice()
    post.post(notice)
    at, content = post.clock.now(), post.sealing.seal(notice)
    with pytest.raises(Refusal):
        write(post, post.outbox.resent(notice.delivery, at, notice.expires, content))
    with pytest.raises(Refusal):
        write(post, post.outbox.dropped(notice.delivery))
    write(post, post.outbox.buried(post.claim()[0], "expired", asked=False))
    assert claimed(post) == []
    write(post, post.outbox.resent(notice.delivery, at, notice.expires, content))
    one = post.claim()[0]
    assert (one.delivery, one.attempts) == (notice.delivery, 0)
    write(post, post.outbox.buried(one, "expired", asked=False))
    write(post, post.outbox.dropped(notice.delivery))
    assert post.outbox.listed(10) == []


def test_what_waits_is_counted_by_party(post: Post) -> None:
    assert post.outbox.depths() == []
    first = post.notice(1)
    for notice in (first, post.notice(2), post.notice(3), post.notice(1, "ramq")):
        post.post(notice)
    one, other, _ = post.claim()
    write(post, post.outbox.later(one, post.clock.now(), "upstream_timeout"))
    write(post, post.outbox.buried(other, "expired", asked=False))
    ministry, ramq = post.outbox.depths()
    assert (ministry.party, ministry.waiting, ministry.failing, ministry.dead) == ("ministry", 2, 1, 1)
    assert ministry.oldest == first.accepted
    assert (ramq.waiting, ramq.failing, ramq.dead) == (1, 0, 0)
    assert [one.party for one in post.outbox.listed(1, "ramq")] == ["ramq"]
    assert [one.state for one in post.outbox.listed(10, dead=True)] == ["dead"]


def test_at_rest_nothing_of_a_notice_can_be_read(post: Post) -> None:
    notice = post.notice(7)
    post.post(notice)
    _, content = post.outbox.one(notice.delivery) or (None, b"")
    assert post.sealing.open(notice.delivery, content) == notice
    with post.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM outbox").one()
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in map(_plain, row))
    said = [notice.subject.handle, notice.subject.ledger, str(notice.exchange), "offered"]
    assert [one for one in said if one.encode() in stored] == []
    with pytest.raises(KeystoreError):
        post.sealing.open(post.notice().delivery, content)
    with pytest.raises(KeystoreError):
        post.sealing.open(notice.delivery, content[:-1] + bytes([content[-1] ^ 1]))


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
