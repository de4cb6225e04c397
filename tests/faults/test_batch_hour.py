"""The civil registry away for an hour of a batch: it waits, says so, and goes on by itself; each line is asked once.

The hour is compressed (tests.faults.hurried): the client's waits pass 600 times as fast, 60 times in the full form.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.exchange.live import ROOT
from tests.faults.night import FULL
from tests.faults.test_kill import note
from tests.scenarios.test_batch import Batch, verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.night import Night

HOUR = 3600
TIMES, RECORDS, PER_SECOND = (60, 2000, 100) if FULL else (600, 200, 50)
#: Long times: a registry that is well is not asked again because a machine is slow.
SETTINGS = {
    "CIVIL_REGISTRY__BATCH_PER_SECOND": 1000,
    "CIVIL_REGISTRY__DEADLINE_SECONDS": 20,
    "CIVIL_REGISTRY__ATTEMPT_SECONDS": 20,
}
SAID = "En attente (Le système interrogé ne répond pas)"


@pytest.fixture
def registry(shared_night: Night) -> Iterator[None]:
    shared_night.start_sandbox()
    yield
    shared_night.behave("normal")


class Client:
    """The command at work, looked at by somebody."""

    def __init__(self, batch: Batch, folder: Path) -> None:
        self._told = folder / "told"
        line = [sys.executable, "-m", "tests.faults.hurried", str(TIMES), str(self._told), "batch", "verify-nirec"]
        line += [str(batch.file), "--as", "cooperative", "--dir", str(batch.live.folder), "--connections", "4"]
        line += ["--per-second", str(PER_SECOND)]
        shown, terminal = pty.openpty()
        environ = {"LANG": "fr_CA.UTF-8", "LC_ALL": "", "PYTHONUTF8": "1", "COLUMNS": "160", "TERM": "xterm"}
        self._process = subprocess.Popen(
            line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
            env=os.environ | environ, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self._parts: list[bytes] = []
        threading.Thread(target=self._look, args=(shown,), daemon=True).start()

    def waited(self) -> list[tuple[float, str]]:
        """Each failure: for how long nobody has answered then, seconds of the client's, and the reason."""
        if not self._told.exists():
            return []
        lines = [line.split() for line in self._told.read_text(encoding="utf-8").splitlines(keepends=True)]
        return [(float(seconds), reason) for seconds, reason in lines]

    def shown(self) -> str:
        """What stood on the screen so far."""
        return b"".join(self._parts).decode(errors="replace")

    def ended(self) -> tuple[int, str]:
        """Its exit code, and what it printed."""
        out, _ = self._process.communicate(timeout=240)
        return self._process.returncode, out.decode()

    def kill(self) -> None:
        """Where the test has failed."""
        self._process.kill()
        self._process.communicate()

    def _look(self, shown: int) -> None:
        with os.fdopen(shown, "rb", buffering=0) as screen:
            try:
                while part := screen.read(65536):
                    self._parts.append(part)
            except OSError:
                return  # its end, as a terminal tells it


def requests(night: Night) -> list[dict[str, Any]]:
    """What the registry itself has noted of each request."""
    lines = (night.folder / "stderr.txt").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line) for line in lines if line.startswith('{"event": "request"')]
    return [one for one in said if one["system"] == "civil-registry-sandbox"]


def births(records: int) -> Counter[str]:
    """Outcomes of a file of so many children, of whom the registry knows the first 300; zeros left out."""
    return Counter({"confirmed": min(records, 300)}) + Counter({"not_confirmed": max(records - 300, 0)})


@pytest.mark.usefixtures("registry")
def test_the_registry_is_away_for_an_hour(night: Night, tmp_path: Path) -> None:
    batch = Batch(night, tmp_path, RECORDS)
    client = Client(batch, tmp_path)
    try:
        assert until(lambda: batch.done() >= RECORDS // 5, 60)
        night.behave("down")
        assert until(lambda: max([seconds for seconds, _ in client.waited()], default=0) > HOUR, 3 * HOUR / TIMES + 20)
        assert until(lambda: SAID in client.shown(), 20)
        assert batch.done() < RECORDS
        night.behave("normal")
        code, said = client.ended()
    finally:
        client.kill()
    # nobody has touched it: the same process has gone on, and its signed report agrees with what it has
    assert (code, f"{RECORDS}" in said) == (0, True)
    rows = batch.rows()
    assert [row[1] for row in rows] == [f"d{number}" for number in range(RECORDS)]
    assert Counter(row[2] for row in rows) == births(RECORDS)
    book = Book(night.log, night.folder / "trust")
    assert until(lambda: len(verified(book)) == RECORDS, 30)
    lines = verified(book)
    assert {line["exchange_id"] for line in lines} == {row[4] for row in rows}
    # the registry's own counter: each line was answered once there, and the rest found it down
    outcomes = Counter(attempt["outcome"] for line in lines for attempt in line["upstream"])
    noted = Counter(one["status"] for one in requests(night))
    assert (outcomes["answered"], noted[200]) == (RECORDS, RECORDS)
    assert night.counter() == noted.total() == RECORDS + noted[0]
    if FULL:
        longest = max(seconds for seconds, _ in client.waited())
        note(f"batch, {longest:.0f} s without its registry: {RECORDS} lines, {len(client.waited())} failures, {noted}")
    assert {reason for _, reason in client.waited()} <= {"upstream_unavailable", "upstream_timeout", "line_in_hand"}
