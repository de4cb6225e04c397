"""Hours of random kill -9, of a worker, the sequencer or everything, under load: each answer is recorded once.

`make soak` runs for SOAK_SECONDS (an hour) on both databases; here it is short.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.exchange.live import wait
from tests.faults.night import Callers, Night
from tests.faults.test_kill import a_worker, everything, note, the_arbiter, the_sequencer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres.cluster import Cluster

SECONDS = float(os.environ.get("SOAK_SECONDS", "8"))
#: A caller's connections, and how long each rests: an hour's log must be reckoned with in minutes.
_CALLERS, _PAUSE = 4, 0.1
_LEAST = 4
_WORTH_A_NOTE = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def soaked(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """A gateway over a database of this kind."""
    cluster: Cluster | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    url = "" if cluster is None else cluster.database()
    if url:
        monkeypatch.setenv("PASSERELLE_STORAGE__DATABASE", url)
    made = Night(tmp_path / "soak")
    try:
        made.start()
        yield made
    finally:
        made.close()
        if cluster is not None:
            cluster.give_back(url)
    made.nothing_told()


def test_what_is_answered_is_recorded_once_for_as_long_as_it_is_tried(
    soaked: Night, request: pytest.FixtureRequest
) -> None:
    kills: Counter[str] = Counter()
    kinds: list[Callable[[Night], None]] = [a_worker, the_sequencer, the_arbiter, everything]
    with Callers(soaked, _CALLERS, _PAUSE) as callers:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or sum(kills.values()) < _LEAST:
            # each kind once, then as chance has it
            kill = kinds[sum(kills.values())] if sum(kills.values()) < len(kinds) else secrets.choice(kinds)
            wait(secrets.randbelow(1500) / 1000)
            kill(soaked)
            kills[kill.__name__] += 1
            assert callers.more(5, 60), f"it does not answer any more after {dict(kills)}"
    soaked.recovered()
    counts = soaked.reckon(callers.sent)
    assert counts.recorded >= 5 * _LEAST
    if SECONDS >= _WORTH_A_NOTE:
        note(f"soak, {request.node.callspec.id}, {SECONDS:.0f} s: {dict(kills)}; {counts}; the audit holds")
