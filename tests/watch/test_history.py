from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.watch.history import HOUR, History
from tests.watch.made import MovedClock

if TYPE_CHECKING:
    from pathlib import Path

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


def test_the_hour_survives_a_restart(tmp_path: Path) -> None:
    clock, kept = MovedClock(), tmp_path / "hour.json"
    before = History(clock, kept)
    for minute in range(1, 4):
        clock.move(60)
        before.sample({ECHO: 10 * minute, REPLAYED: minute})
    before.keep({ECHO: 35, REPLAYED: 3})
    clock.move(30)
    clock.ran = 5.0  # another process, perhaps after a boot
    after = History(clock, kept)
    assert after.within(HOUR, {}) == {ECHO: 35, REPLAYED: 3}
    assert after.within(HOUR, {ECHO: 2}) == {ECHO: 37, REPLAYED: 3}
    assert after.within(60, {ECHO: 2}) == {ECHO: 17, REPLAYED: 1}
    assert after.exchanges_per_minute({ECHO: 2}) == (10, 10, 10, 5, 2)
    clock.move(HOUR + 60)
    after.sample({ECHO: 2})
    assert History(clock, kept).within(HOUR, {}) == {}


@pytest.mark.parametrize("content", [b"", b"{}", b"[[1]]", b'[["x", []]]', b"\xff", b"[[0, 5]]", b"[[1e12, []]]"])
def test_an_hour_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "hour.json"
    kept.write_bytes(content)
    assert History(MovedClock(), kept).within(HOUR, {ECHO: 1}) == {ECHO: 1}


def test_a_folder_that_is_not_there_stops_nobody(tmp_path: Path) -> None:
    history = History(MovedClock(), tmp_path / "nowhere" / "hour.json")
    history.sample({ECHO: 1})
    assert history.within(HOUR, {ECHO: 1}) == {ECHO: 1}


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
