"""kill -9 at random moments under load: of a worker, of the sequencer, of everything (DESIGN L4, L5, L6)."""

from __future__ import annotations

import os
import secrets
import signal
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.exchange.live import ROOT, wait
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
    # while a sequencer is waited for, the others go on: in a full run for minutes
    with Callers(night, pause=0.1 if FULL and kill is the_sequencer else 0) as callers:
        assert callers.more(20)
        for _ in range(ROUNDS):
            wait(secrets.randbelow(600) / 1000)  # a random moment
            kill(night)
            assert callers.more(10, 60), "it does not answer any more"
    night.recovered()
    counts = night.reckon(callers.sent)
    assert counts.answered >= 20 + 10 * ROUNDS
    # what was answered is never answered again; what was not is refused if its nonce was claimed, and new if not
    answered = [one for one in callers.sent if one.answer is not None and one.answer.status == 200]
    lost = [one for one in callers.sent if one.answer is None]
    again = sent_again(night, answered[-5:])
    assert set(again) == {"replayed"}, again
    said = sent_again(night, lost[-20:])
    assert set(said) <= {"answered", "replayed", "created_out_of_window"}, said
    # nothing is there twice, and every counter is there or named by a closing leaf: so says the audit
    verdict = night.audited()
    kinds = Counter(leaf.kind for leaf, _ in night.leaves())
    assert kinds["closing"] > 0
    if FULL:
        note(
            f"{kill.__name__} x{ROUNDS}: {asdict(counts)}; lost, sent again: {dict(said)}; log of {verdict.facts.size} "
            f"leaves: {dict(kinds)}; {verdict.facts.writers} writers; the audit holds"
        )


def note(line: str) -> None:
    """The counts of a full run, for its reader: in var/faults.txt."""
    path = ROOT / "var" / "faults.txt"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
