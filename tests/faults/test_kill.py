"""kill -9 at random moments under load: of a worker, of the sequencer, of everything (DESIGN L4, L5, L6)."""

from __future__ import annotations

import os
import secrets
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.night import FULL, ROUNDS, Callers, sent_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.night import Night


def a_worker(night: Night) -> None:
    victim = secrets.choice(night.workers())
    os.kill(victim, signal.SIGKILL)
    assert until(lambda: victim not in night.workers() and len(night.workers()) >= 2, 30)


def the_sequencer(night: Night) -> None:
    victim = night.role("sequencer")
    os.kill(victim, signal.SIGKILL)
    assert until(lambda: night.role("sequencer") != victim, 30)


def the_arbiter(night: Night) -> None:
    victim = night.role("workers")
    os.kill(victim, signal.SIGKILL)
    assert until(lambda: night.role("workers") != victim, 30)


def everything(night: Night) -> None:
    night.kill_group()
    night.start()


@pytest.mark.parametrize("kill", [a_worker, the_sequencer, the_arbiter, everything], ids=lambda kill: kill.__name__)
def test_what_was_answered_is_recorded_once_whatever_is_killed(night: Night, kill: Callable[[Night], None]) -> None:
    with Callers(night) as callers:
        assert callers.more(20)
        for _ in range(ROUNDS):
            time.sleep(secrets.randbelow(600) / 1000)  # the moment must be a random one
            kill(night)
            assert callers.more(10, 60), "it does not answer any more"
    night.recovered()
    counts = night.reckon(callers.sent)
    assert counts.answered > 20 + 10 * ROUNDS
    # what got no answer is in the log whole, or not at all: nothing else is there
    assert counts.leaves - counts.recorded <= counts.lost + len(callers.answers)
    lost = [one for one in callers.sent if one.answer is None]
    said = sent_again(night, lost[-30:])
    assert set(said) <= {"answered", "replayed", "created_out_of_window"}, said
    verdict = night.audited()
    if FULL:
        print(kill.__name__, ROUNDS, counts, dict(said), verdict.facts.size, verdict.facts.writers)  # noqa: T201  the count of a full run


def test_a_request_whose_exchange_is_in_the_log_is_refused_when_it_is_sent_again(night: Night) -> None:
    with Callers(night) as callers:
        assert callers.more(30)
        everything(night)
    night.recovered()
    said = sent_again(night, [one for one in callers.sent if one.answer is not None and one.answer.status == 200][-10:])
    assert set(said) == {"replayed"}, said
