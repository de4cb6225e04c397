"""Decision 0033: waits are tenacity's, counted by the outbox, and half of each is chance that is passed in."""

from __future__ import annotations

from gateway.delivery.pace import Pace
from gateway.system import SystemRandomness


def test_chance_comes_from_the_randomness_that_is_passed_in() -> None:
    class Chance:
        def bytes(self, count: int) -> bytes:
            return b"\x80" + bytes(count - 1)

    waits = {Pace(1, 60).wait(4, Chance()).total_seconds() for _ in range(3)}  # type: ignore[arg-type]  # the only method that is asked for
    assert waits == {6.0}


def test_what_failed_together_does_not_come_back_together() -> None:
    pace = Pace(1, 60)
    assert len({pace.wait(7, SystemRandomness()) for _ in range(100)}) > 90


def test_no_number_of_failures_is_too_many() -> None:
    pace = Pace(0.001, 900)
    assert all(450 <= pace.wait(failures, SystemRandomness()).total_seconds() <= 900 for failures in (30, 10**4, 10**6))
