from __future__ import annotations

import pytest

from gateway.watch.history import HOUR, History
from tests.watch.made import MovedClock

REPLAYED = ("refusals", "ministry", "replayed")
ECHO = ("exchanges", "ministry", "echo", "answered")


def test_what_was_added_within_a_time() -> None:
    clock = MovedClock()
    history = History(clock)
    for minute in range(1, 11):
        clock.move(60)
        assert history.due()
        history.sample({REPLAYED: minute})
        assert not history.due()
    assert history.within(300, {REPLAYED: 12}) == {REPLAYED: 7}
    assert history.within(HOUR, {REPLAYED: 12}) == {REPLAYED: 12}
    assert history.within(300, {REPLAYED: 5}) == {}


def test_no_more_than_an_hour_is_kept() -> None:
    clock = MovedClock()
    history = History(clock)
    for minute in range(1, 200):
        clock.move(60)
        history.sample({ECHO: minute})
    assert len(history.exchanges_per_minute({ECHO: 199})) == 61
    assert history.within(HOUR, {ECHO: 199}) == {ECHO: 60}


def test_exchanges_of_each_minute_the_present_one_last() -> None:
    clock = MovedClock()
    history = History(clock)
    for total in (5, 5, 9):
        clock.move(60)
        history.sample({ECHO: total, REPLAYED: 100})
    assert history.exchanges_per_minute({ECHO: 10, REPLAYED: 100}) == (5, 0, 4, 1)


@pytest.mark.parametrize(("seconds", "steps"), [(1.9, 0), (-1.9, 0), (2.1, 1), (-3600, 1)])
def test_a_step_of_the_clock_is_noticed(seconds: float, steps: int) -> None:
    clock = MovedClock()
    history = History(clock)
    clock.move(1)
    history.look_at_the_clock()
    clock.step(seconds)
    history.look_at_the_clock()
    history.look_at_the_clock()
    assert history.steps() == steps
    clock.move(HOUR + 1)
    assert history.steps(HOUR) == 0
    assert history.steps() == steps
