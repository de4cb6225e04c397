"""The gateway's clock an hour forward and back while it runs; monotonic time goes on as it does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.night import Callers, Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange.live import Shown

_HOUR = 3600


def library(folder: Path) -> Path:
    """The wall clock that can be wrong; skips where there is no C compiler."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here: apt install gcc libc6-dev")
    made = folder / "shifted_clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(made), str(source)], check=True)  # noqa: S607  whichever is here
    return made


@pytest.fixture(scope="module")
def shifting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A gateway whose clock is wrong by what a file says."""
    folder = tmp_path_factory.mktemp("shifting")
    made = Night(folder / "night")
    shift(made, 0)
    made.environ |= {"LD_PRELOAD": str(library(folder)), "SHIFT_FILE": str(_file(made))}
    try:
        made.start()
        yield made
    finally:
        made.close()
    made.nothing_told()
    made.audited()


def shift(night: Night, seconds: int) -> None:
    """From now on, in all of its processes."""
    with _file(night).open("r+b" if _file(night).exists() else "wb") as file:
        file.write(seconds.to_bytes(8, "little", signed=True))


def _file(night: Night) -> Path:
    return night.folder / "clock"


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
    assert counts.lost == 0
    # an exchange that had begun under the other time has no evidence that could hold: one for each caller and step
    assert counts.not_recorded <= 4 * callers.count
