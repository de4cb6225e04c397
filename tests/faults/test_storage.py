"""The database locked, the disk full or read-only: a signed 503, nothing released unrecorded, and on by itself."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.exchange.live import wait
from tests.faults.night import FULL, Callers, Night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JWKS = "/.well-known/jwks.json"


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program has the database."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=40)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextlib.contextmanager
def immutable(*paths: Path) -> Iterator[None]:
    """Files and folders that not even root can write, though they are open (chattr(1)); skips where it cannot be."""
    for path in paths:
        done = subprocess.run(["chattr", "+i", str(path)], check=False, capture_output=True)  # noqa: S607  Debian's
        if done.returncode:
            for other in paths:
                subprocess.run(["chattr", "-i", str(other)], check=False, capture_output=True)  # noqa: S607  the same
            pytest.skip("chattr +i is not allowed here: run as root on ext4")
    try:
        yield
    finally:
        for path in paths:
            subprocess.run(["chattr", "-i", str(path)], check=True)  # noqa: S607  the same


def not_recorded(night: Night, count: int) -> None:
    """So many callers are told not_recorded, under the gateway's signature and without a leaf."""
    for _ in range(count):
        request = night.draft().signed()
        shown = night.exchange(request)
        assert (shown.status, shown.json()["code"]) == (503, "not_recorded")
        assert int(shown.headers["retry-after"]) >= 1
        assert night.verify(request, shown).ledger_leaf is None


def test_a_database_that_another_program_locks(night: Night) -> None:
    with Callers(night) as callers:
        assert callers.more(10)
        with locked(night.database):
            # while it is locked, all are answered, and again and again: nobody waits for its end
            assert callers.more(24, 60, status=503)
            for _ in range(10):
                assert night.get("/log/checkpoint").status == 200
                assert night.get(_JWKS).status == 200
            not_recorded(night, 3)
            if FULL:
                wait(60)
            before = night.workers()
        assert callers.more(20, 60), "it does not go on"
    assert night.workers() == before
    counts = night.reckon(callers.sent)
    assert counts.not_recorded >= 24
    assert counts.lost == 0


def test_a_database_that_is_locked_for_a_moment_costs_no_answer(night: Night) -> None:
    with Callers(night) as callers:
        assert callers.more(5)
        with locked(night.database):
            wait(0.3)
        assert callers.more(10)
    assert {answer.status for answer in callers.answers} == {200}


def test_a_worker_that_dies_while_the_database_is_locked_is_replaced(night: Night) -> None:
    victim = night.workers()[0]
    with locked(night.database):
        subprocess.run(["kill", "-9", str(victim)], check=True)  # noqa: S607  the shell's own everywhere
        assert until(lambda: victim not in night.workers() and len(night.workers()) >= 2, 30)
        arbiter = night.role("workers")
        wait(2)
        not_recorded(night, 4)
        assert night.role("workers") == arbiter
    night.recovered()
    assert night.role("workers") == arbiter


def test_a_database_that_becomes_read_only(night: Night) -> None:
    # not its -shm file, which is mapped: writing to that would be a bus error, as from a disk that is pulled out
    files = [night.database, night.database.with_name(f"{night.database.name}-wal")]
    with Callers(night) as callers:
        assert callers.more(10)
        with immutable(*files, night.database.parent):
            assert callers.more(12, 60, status=503)
            not_recorded(night, 3)
            assert night.get("/log/checkpoint").status == 200
        assert callers.more(10, 60), "it does not go on"
    counts = night.reckon(callers.sent)
    assert counts.not_recorded >= 12


def test_a_log_that_becomes_read_only_is_published_later(night: Night) -> None:
    """Recording does not need the directory: exchanges go on, and the same sequencer catches up."""
    sequencer = night.role("sequencer")
    with Callers(night) as callers:
        assert callers.more(5)
        with immutable(night.log, night.log / "tile" / "0", night.log / "tile" / "entries"):
            size = len(night.leaves())
            assert callers.more(20)
            wait(1.5)
            assert len(night.leaves()) == size
            assert any(line.get("event") == "sequencing_fails" for line in night.lines())
    night.recovered()
    assert night.reckon(callers.sent).recorded >= 25
    assert night.role("sequencer") == sequencer


def test_logs_that_cannot_be_written_stop_nothing(night: Night) -> None:
    folder = night.folder / "gateway" / "logs"
    with immutable(folder, *folder.iterdir()):
        with Callers(night) as callers:
            assert callers.more(10)
        night.raw(b"this is no HTTP\r\n\r\n")
        assert night.verified(night.draft().signed()).status == 200
    assert night.reckon(callers.sent).lost == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Night]:
    """A gateway whose state lies on a disk of 12 MiB."""
    made = Night(tmp_path)
    state, apart = tmp_path / "gateway", tmp_path / "gateway.was"
    state.rename(apart)
    state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(state)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here: run as root, with CAP_SYS_ADMIN")
    try:
        shutil.copytree(apart, state, dirs_exist_ok=True)
        made.start()
        yield made
    finally:
        made.close()
        subprocess.run(["umount", "-l", str(state)], check=True)  # noqa: S607  Debian's


def test_a_disk_that_is_full(small_disk: Night) -> None:
    night = small_disk
    ballast = night.folder / "gateway" / "ballast"
    with Callers(night) as callers:
        assert callers.more(10)
        fill(ballast)
        assert callers.more(12, 60, status=503)
        not_recorded(night, 3)
        assert night.get("/log/checkpoint").status == 200
        ballast.unlink()
        assert callers.more(10, 60), "it does not go on"
    night.recovered()
    counts = night.reckon(callers.sent)
    assert counts.not_recorded >= 12
    assert counts.lost == 0
    # what could not be begun leaves nothing behind that fills the disk
    assert len(list((night.folder / "gateway" / "db" / "writers").iterdir())) < 20
    night.nothing_told()


def fill(path: Path) -> None:
    """To the last byte."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
