"""How fast batches ask the registry: a rate over all workers and nodes, and a share of this worker's calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.batches.pace import Pace
from gateway.errors import Code, Refusal
from gateway.waiting import Threads

from .conftest import World, refused

if TYPE_CHECKING:
    from tests.adapters.fakes import ShiftedClock


def test_a_second_s_calls_over_all_workers(world: World) -> None:
    take = world.store.take
    assert [take("registry", 100, 2, 5) for _ in range(3)] == [True, True, False]
    assert take("registry", 100, 1, 5)
    assert not take("registry", 100, 1, 5)
    assert take("another", 100, 5, 5)
    assert take("registry", 101, 5, 5)
    # a second that is over gives nothing
    assert not take("registry", 100, 1, 5)


@pytest.mark.parametrize("apart", [0, 1, 3, 6, 3600])
def test_the_rate_holds_over_nodes_whose_clocks_differ(world: World, apart: int) -> None:
    took = [0, 0]
    for second in range(100, 103):
        for turn in range(100):
            node = turn % 2
            took[node] += world.store.take("registry", second + apart * node, 1, 20)
    # in the first second the node that is behind may come first, and has one of its own
    assert 60 <= sum(took) <= 61
    assert min(took) >= 25


def test_a_clock_that_was_far_ahead_does_not_stop_everybody(world: World) -> None:
    now = int(world.clock.now().timestamp())
    assert world.store.take("registry", now + 3600, 3, 3)
    pace = Pace(world.store, world.clock, Hurried(world.clock), upstream="registry", per_second=3, at_once=2)
    came = [goes(pace) for _ in range(8)]
    assert not any(came[:3])
    assert came[-1]
    assert int(world.clock.now().timestamp()) < now + 60


def goes(pace: Pace) -> bool:
    try:
        with pace.call():
            return True
    except Refusal:
        return False


def test_a_clock_that_is_a_little_ahead_is_no_reason_to_begin_anew(world: World) -> None:
    assert world.store.take("registry", 105, 3, 3)
    world.store.begin_anew("registry", 100)
    assert not world.store.take("registry", 100, 1, 3)
    world.store.begin_anew("registry", 99)
    assert world.store.take("registry", 100, 1, 3)


def test_the_rate_holds_and_whoever_waits_too_long_is_told(world: World) -> None:
    world.store.take("registry", 2_000_000_000, 1, 1)
    slow = Pace(world.store, world.clock, Hurried(world.clock), upstream="slow", per_second=3, at_once=2)
    second = int(world.clock.now().timestamp())
    calls: list[int] = []
    for _ in range(7):
        with slow.call():
            calls.append(int(world.clock.now().timestamp()) - second)
    assert max(calls.count(one) for one in calls) <= 3
    assert len(set(calls)) >= 3
    stuck = Pace(Never(), world.clock, Hurried(world.clock), upstream="slow", per_second=3, at_once=2)
    for _ in range(3):  # and a place is given back each time
        assert refused(lambda: stuck.call().__enter__()) is Code.BATCH_TOO_FAST


class Never:
    """A second of which others have taken all."""

    def take(self, *_: object) -> bool:
        return False

    def begin_anew(self, *_: object) -> None:
        """Nothing helps."""


class Hurried(Threads):
    """Waits by setting the clock."""

    def __init__(self, clock: ShiftedClock) -> None:
        self._clock = clock

    def pause(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)


def test_single_verifications_keep_their_share(world: World) -> None:
    batch = world.open(records=40)
    under_way: list[int] = []
    most: list[int] = []

    def meanwhile() -> None:
        under_way.append(1)
        most.append(len(under_way))
        Threads().pause(0.02)
        under_way.pop()

    world.registry.meanwhile = meanwhile
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda line: world.verify(batch, line), range(1, 25)))
    assert max(most) == 4  # at_once, however many come
    # and as many again as four times that wait; more are told
    with world.pace.call(), world.pace.call(), world.pace.call(), world.pace.call():
        world.pace._queue.extend([Threads().baton()] * 16)
        assert refused(lambda: world.pace.call().__enter__()) is Code.BATCH_TOO_FAST
        world.pace._queue.clear()
