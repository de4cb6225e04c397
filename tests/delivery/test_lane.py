"""Lanes: one party's trouble is its own; many dispatchers over one outbox lose nothing and keep each child's order."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.delivery.lane import Lane, LaneRules
from gateway.delivery.pace import Pace
from gateway.errors import KeystoreError
from tests.adapters.fakes import until

from .conftest import LEASE, Ministry, Post

if TYPE_CHECKING:
    from gateway.delivery.rows import Claimed
    from gateway.notices import Outcome

CHILDREN, EACH = 12, 4


def lane(post: Post, ministry: Ministry, stop: threading.Event, party: str = "ministry", threads: int = 4) -> Lane:
    def deliver(claimed: Claimed) -> Outcome | None:
        return post.deliverer().round(claimed, ministry)

    return Lane(
        party,
        post.outbox,
        deliver,
        rules=LaneRules(threads, LEASE, Pace(10, 600)),
        clock=post.clock,
        randomness=post.randomness,
        stop=stop,
        failed=faults.append,
    )


faults: list[Exception] = []


def test_two_dispatchers_deliver_each_notice_once_and_each_childs_in_order(post: Post) -> None:
    for number in range(EACH):
        for child in range(CHILDREN):
            post.post(post.notice(child, number=number))
    stop = threading.Event()
    lanes = [lane(post, post.ministry, stop, threads=3) for _ in range(2)]
    for one in lanes:
        one.start()
    try:
        assert until(lambda: len(post.ministry.effects) == CHILDREN * EACH, 20)
        assert until(lambda: post.outbox.depths() == [], 20)
    finally:
        stop.set()
        for one in lanes:
            one.join()
    told: dict[object, list[object]] = defaultdict(list)
    for effect in post.ministry.effects:
        told[effect.message.fields["handle"]].append(effect.message.fields["number"])
    assert list(told.values()) == [list(range(EACH))] * CHILDREN
    assert (post.ministry.asked, post.journal.outcomes) == (CHILDREN * EACH, ["delivered"] * CHILDREN * EACH)


def test_a_party_that_is_down_is_left_alone_then_probed_and_stops_nobody(post: Post) -> None:
    stop, other = threading.Event(), Ministry(post.clock)
    for child in range(8):
        post.post(post.notice(child))
        post.post(post.notice(child, "ramq"))
    down, up = lane(post, post.ministry, stop), lane(post, other, stop, "ramq")
    post.ministry.mode = "down"
    assert [down.step() for _ in range(6)] == ["failed"] * 4 + [None, None]  # what was claimed, then a pause
    assert (post.ministry.asked, down.failures) == (4, 4)
    assert [up.step() for _ in range(9)] == ["delivered"] * 8 + [None]
    post.later(seconds=601)
    assert [down.step() for _ in range(3)] == ["failed", None, None]  # one alone
    assert post.ministry.asked == 5
    post.ministry.mode = "up"
    post.later(seconds=601)
    assert [down.step() for _ in range(9)] == ["delivered"] * 8 + [None]
    assert (len(post.ministry.effects), post.outbox.depths()) == (8, [])


def test_what_was_claimed_and_not_begun_is_given_back(post: Post) -> None:
    notices = [post.post(post.notice(child)) for child in range(4)]
    one = lane(post, post.ministry, threading.Event())
    assert one.step() == "delivered"
    one.join()
    assert [claimed.delivery for claimed in post.claim()] == notices[1:]


def test_a_claim_that_waited_for_half_its_lease_is_not_begun(post: Post) -> None:
    for child in range(3):
        post.post(post.notice(child))
    one = lane(post, post.ministry, threading.Event())
    assert one.step() == "delivered"
    post.clock.shift += timedelta(seconds=31)
    assert (one.step(), post.ministry.asked) == (None, 1)


def test_nothing_goes_out_while_the_log_is_halted(post: Post) -> None:
    post.post(post.notice())
    one = lane(post, post.ministry, threading.Event())
    one._may = lambda: False
    assert (one.step(), post.ministry.asked) == (None, 0)


def test_what_was_claimed_waits_again_where_nothing_may_go_out_any_more(post: Post) -> None:
    for child in range(4):
        post.post(post.notice(child))
    one = lane(post, post.ministry, threading.Event())
    assert one.step() == "delivered"
    one._may = lambda: False
    assert (one.step(), post.ministry.asked) == (None, 1)
    assert len(post.claim()) == 3  # at once, and by whoever may


def test_a_fault_of_ours_puts_the_notice_off(post: Post) -> None:
    faults.clear()
    notice = post.post(post.notice())
    one = lane(post, post.ministry, threading.Event())

    def broken(_claimed: Claimed) -> Outcome:
        raise OSError("disk full")

    one._deliver = broken
    assert (one.step(), [type(fault) for fault in faults]) == (None, [OSError])
    assert post.claim() == []
    assert (post.outbox.listed(1)[0].attempts, post.outbox.listed(1)[0].reason) == (1, "internal")
    post.later(seconds=11)
    assert [claimed.delivery for claimed in post.claim()] == [notice]


def test_a_notice_that_does_not_open_holds_up_no_others(post: Post) -> None:
    faults.clear()
    notices = [post.post(post.notice(child)) for child in range(4)]
    with post.database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET content = ? WHERE id = ?", (b"0" * 60, notices[0].bytes))
    one = lane(post, post.ministry, threading.Event(), threads=1)
    found = []
    for _ in range(4):
        found.append(one.step())
        post.later(seconds=31)
    assert found == [None, "delivered", "delivered", "delivered"]
    assert [type(fault) for fault in faults] == [KeystoreError]
    assert [one.delivery for one in post.outbox.listed(10)] == notices[:1]


def test_a_fault_where_nothing_was_claimed_yet_ends_no_thread(post: Post) -> None:
    faults.clear()
    post.post(post.notice())
    stop = threading.Event()
    one = lane(post, post.ministry, stop, threads=1)

    def may() -> bool:
        if not faults:
            raise OSError("nothing could be read")
        return True

    one._may = may
    one.start()
    try:
        assert until(lambda: post.outbox.depths() == [], 20)
    finally:
        stop.set()
        one.join()
    assert [type(fault) for fault in faults] == [OSError]
