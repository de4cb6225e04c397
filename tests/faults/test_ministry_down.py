"""A ministry down for a day, then all of its notices at once: none lost, each once, in order, and nobody else waits.

The day is compressed by its waits: each second of a delivery's settings is a thousandth (a failing ministry is left
alone for at most 0.06 s instead of a minute, a notice for 0.9 s instead of a quarter of an hour), so that a day is
86 s, of which the short form has six. The adapter's own breaker is not: it lets one call through in five seconds.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import LOADED, until
from tests.exchange.live import wait
from tests.faults.ministry import EVENTS, TOLD, MinistryNight
from tests.faults.night import FULL, Callers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTICES = int(os.environ.get("FAULT_NOTICES", "10000" if FULL else "200"))
DAY_SECONDS = 86.4 if FULL else 6.0
SETTINGS = {
    "DELIVERIES__FIRST_WAIT_SECONDS": 0.001,
    "DELIVERIES__LONGEST_WAIT_SECONDS": 0.9,
    "DELIVERIES__LONGEST_PAUSE_SECONDS": 0.06,
}
#: Four threads begin before anything is known; then one call in each five seconds of the breaker, and one on each side.
_AT_FIRST, _BREAKER_SECONDS = 4 + 2, 5.0


class Town(MinistryNight):
    registrations = max(60, NOTICES // len(EVENTS))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "town", **SETTINGS)
    try:
        made.start()
        yield made
    finally:
        made.close()


def in_vain(town: Town) -> int:
    """How many rounds so far got no answer."""
    return int(town.rows("SELECT SUM(attempts) FROM outbox")[0][0])


def asked_once(town: Town) -> float:
    """Seconds that another party's exchange takes now, over a connection of its own."""
    began = time.monotonic()
    assert town.tries()
    return time.monotonic() - began


@pytest.mark.timeout(3600)
def test_all_that_waited_for_a_day_goes_out_at_once(town: Town) -> None:
    began = time.monotonic()
    sent = town.notified(town.children()[: NOTICES // len(EVENTS)], callers=4)
    assert len(sent) == NOTICES
    wait(max(0.0, DAY_SECONDS - (time.monotonic() - began)))
    # it was down all the time: nothing is lost, and little was tried, however much waits
    assert town.outbox() == NOTICES
    before = in_vain(town)
    town.settled()
    tried = in_vain(town)
    assert 1 <= tried <= _AT_FIRST + (time.monotonic() - began) / _BREAKER_SECONDS
    assert before <= town.rounds_published() <= in_vain(town)  # a leaf for each, and for nothing else
    took: list[float] = []
    with Callers(town, 2, pause=0.02) as callers:
        town.start_ministry()
        drained = time.monotonic()
        assert until(lambda: bool(town.held()), 20)
        while town.outbox():
            took.append(asked_once(town))
            assert time.monotonic() - drained < LOADED * (60 + NOTICES / 20), f"{town.outbox()} still wait"
        drained = time.monotonic() - drained
        assert callers.more(5)
    # others had their answers all the while, each right and in time
    assert {answer.status for answer in callers.answers} == {200}
    assert len(callers.sent) == len(callers.answers)
    assert took
    assert sorted(took)[len(took) * 9 // 10] < LOADED
    town.reckon(callers.sent)
    right(town, sent)
    recorded = town.rounds_published()
    asked = town.counter("ministry")
    print(f"{NOTICES} notices, {tried} rounds in vain, out in {drained:.0f} s, {recorded} leaves, asked {asked}")  # noqa: T201  the counts
    print(f"others: {len(callers.sent)} exchanges, nine of ten under {sorted(took)[len(took) * 9 // 10]:.2f} s")  # noqa: T201  the same


def right(town: Town, sent: dict[str, str]) -> None:
    """Each once at the ministry, a child's in the order of its events; one record of each delivery; the audit holds."""
    held = town.held()
    assert sorted(number for number, _, _ in held) == sorted(sent)
    assert {number: event for number, _, event in held} == {number: TOLD[event] for number, event in sent.items()}
    told: dict[str, list[str]] = defaultdict(list)
    for _, child, event in held:
        told[child].append(event)
    assert list(told.values()) == [list(TOLD.values())] * (NOTICES // len(EVENTS))
    assert until(lambda: len(done := town.rounds()) == len(sent) and all(map(bool, done.values())), 20)
    outcomes = [[one["outcome"] for one in rounds] for rounds in town.rounds().values()]
    assert {(one[-1], one.count("delivered")) for one in outcomes} == {("delivered", 1)}
    assert town.stop() == 0
    town.audited()
    town.nothing_told()
