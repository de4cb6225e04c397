"""The gateway's clock an hour forward and back while it runs (libfaketime); monotonic time goes on as it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.night import Callers, Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange.live import Shown

_HOUR = 3600


def library() -> Path:
    """Debian's libfaketime; skips where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not here: apt install libfaketime")
    return found[0]


@pytest.fixture
def shifting(tmp_path: Path) -> Iterator[Night]:
    """A gateway whose clock says what a file says."""
    made = Night(tmp_path)
    made.environ |= {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    shift(made, 0)
    try:
        made.start()
        yield made
    finally:
        made.close()
    made.nothing_told()


def shift(night: Night, seconds: int) -> None:
    path = night.folder / "clock"
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{seconds:+d}\n")
    fresh.replace(path)


def ask(night: Night, ahead: int = 0) -> Shown:
    """An echo signed by a caller whose clock is so many seconds ahead; its answer is signed and recorded."""
    draft = night.draft()
    request = draft.but(created=draft.created + ahead).signed()
    shown = night.exchange(request)
    assert night.verify(request, shown).ledger_leaf is not None
    return shown


def test_an_hour_forward_and_back(shifting: Night) -> None:
    night = shifting
    replayed = night.draft().signed()
    assert night.verified(replayed).status == 200
    for seconds in (_HOUR, 0, -_HOUR, 0):
        shift(night, seconds)
        honest = ask(night)
        if seconds:
            assert (honest.status, honest.json()["code"]) == (401, "created_out_of_window")
            assert honest.json()["component"] == "created"
            # whoever's clock is as wrong is served, and no record is missed
            assert ask(night, seconds).status == 200
        else:
            assert honest.status == 200
        # a request that was answered is never answered again, whatever the clock says
        assert night.exchange(replayed).status in {401, 409}
        assert night.exchange(replayed).json()["code"] in {"replayed", "created_out_of_window"}
    assert night.exchange(replayed).json()["code"] == "replayed"
    with Callers(night, 3) as callers:
        assert callers.more(10)
    counts = night.reckon(callers.sent)
    assert counts.recorded >= 10
    times = [leaf.time for leaf, _ in night.leaves()]
    # the leaves say what the clock said: an hour's step is there to be seen, both ways
    assert (max(times) - min(times)).total_seconds() > 1.9 * _HOUR
    assert until(lambda: night.audited().holds, 5)


def test_a_step_while_callers_call(shifting: Night) -> None:
    night = shifting
    with Callers(night) as callers:
        assert callers.more(10)
        for seconds in (_HOUR, -_HOUR):
            shift(night, seconds)
            assert callers.more(5, 30, status=401)
            shift(night, 0)
            assert callers.more(10, 30)
    counts = night.reckon(callers.sent)
    assert (counts.lost, counts.not_recorded) == (0, 0)
