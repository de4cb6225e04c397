"""A graceful stop under load, and one while an upstream hangs."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.night import ROUNDS, Callers, Night
from tests.faults.upstream import Troubled, hangs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_sigterm_under_load_finishes_what_was_begun(night: Night) -> None:
    for _ in range(min(ROUNDS, 10)):
        night.settled()
        before = {str(leaf.exchange_id) for leaf, _ in night.leaves()}
        with Callers(night) as callers:
            assert callers.more(30)
            assert night.stop() == 0
        answered = {answer.exchange_id for answer in callers.answers}
        assert len(answered) >= 30
        # a clean end: whatever is in the log was answered, and whatever was answered is published
        recorded = {str(leaf.exchange_id) for leaf, _ in night.leaves() if leaf.kind in ("exchange", "refusal")}
        assert recorded - before == answered
        night.audited()
        night.start()


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[tuple[Night, Troubled]]:
    """A gateway whose registry never answers, and which would wait for it longer than it may when it stops."""
    made = Night(
        tmp_path,
        CIVIL_REGISTRY__DEADLINE_SECONDS=60,
        CIVIL_REGISTRY__ATTEMPT_SECONDS=60,
        LISTEN__GRACEFUL_SECONDS=2,
    )
    registry = Troubled(made.folder / "sandbox" / "civil-registry", made.ports.registry)
    try:
        made.start()
        yield made, registry
    finally:
        made.close()
        registry.close()


def test_a_hung_upstream_does_not_keep_a_worker_longer_than_it_may(hung: tuple[Night, Troubled]) -> None:
    night, registry = hung
    registry.behaviour = hangs
    request = night.verification().signed()
    ended: list[str] = []

    def ask() -> None:
        try:
            ended.append(str(night.exchange(request).status))
        except OSError as error:
            ended.append(type(error).__name__)

    calling = threading.Thread(target=ask)
    calling.start()
    assert until(lambda: registry.requests == 1, 10)
    arbiter = night.role("workers")
    process = night.processes["gateway"]
    process.send_signal(signal.SIGTERM)
    assert until(lambda: process.poll() is not None, 14), "it waits for the upstream"
    assert night.stop() == 0
    calling.join(40)
    assert ended
    assert "200" not in ended
    lines = night.lines()
    assert not [line for line in lines if line.get("event") == "killed"], arbiter
    assert [line for line in lines if "not finished in time" in str(line.get("event"))]
    # whatever became of it is no half of an exchange
    night.audited()
