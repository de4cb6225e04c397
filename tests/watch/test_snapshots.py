from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.system import SystemClock
from gateway.watch.meters import BUCKETS, Meters
from gateway.watch.snapshots import Collector, Reporter, resources, snapshot_folder
from tests.watch.made import MovedClock

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = 2**22 + 1  # above the highest process id of Linux


def write(folder: Path, pid: int, count: int, age: float = 0.0) -> Path:
    path = folder / f"{pid}-1.json"
    content = {
        "pid": pid,
        "since": "2026-11-22T12:00:00+00:00",
        "counts": [[["exchanges", "ministry", "echo", "answered"], count]],
        "times": [[["seal_seconds"], [float(count)] + [0.0] * (len(BUCKETS) + 1)]],
        "levels": [[["in_flight", "registry"], 2]],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    written = SystemClock().now().timestamp() - age
    os.utime(path, (written, written))
    return path


def test_what_a_process_counts_reaches_whoever_watches(tmp_path: Path) -> None:
    meters = Meters()
    reporter = Reporter(meters, tmp_path, SystemClock())
    reporter.start()
    meters.exchanged("ministry", "echo", "answered", seconds=0.1, sealing=0.01)
    reporter.close()
    totals = Collector(tmp_path, SystemClock()).totals()
    assert totals.counts == {("exchanges", "ministry", "echo", "answered"): 1}
    assert [(item.pid, item.exchanges) for item in totals.alive] == [(os.getpid(), 1)]


def test_processes_are_summed(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), 3)
    write(tmp_path, os.getppid(), 4)
    totals = Collector(tmp_path, SystemClock()).totals()
    assert totals.counts["exchanges", "ministry", "echo", "answered"] == 7
    assert totals.times["seal_seconds",][0] == 7.0
    assert totals.levels["in_flight", "registry"] == [2, 2]


def test_memory_and_files_of_those_that_live(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), 1)
    alive = Collector(tmp_path, SystemClock()).totals().alive[0]
    before = alive.files
    assert alive.memory > 1 << 20
    assert 0 < alive.files < alive.files_most
    with (tmp_path / "open").open("w", encoding="utf-8"):
        assert resources(os.getpid())[1] == before + 1
    assert resources(_NOBODY) == (0, 0, 0)


def test_what_a_dead_process_counted_stays_counted_once_and_its_levels_go(tmp_path: Path) -> None:
    path = write(tmp_path, _NOBODY, 5, age=60)
    collector = Collector(tmp_path, SystemClock())
    for _ in range(3):
        totals = collector.totals()
        assert totals.counts["exchanges", "ministry", "echo", "answered"] == 5
        assert totals.times["seal_seconds",][0] == 5.0
        assert totals.levels == {}
        assert totals.alive == ()
    assert not path.exists()


def test_a_process_that_is_slow_to_write_is_not_buried(tmp_path: Path) -> None:
    path = write(tmp_path, os.getpid(), 5, age=60)
    assert len(Collector(tmp_path, SystemClock()).totals().alive) == 1
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]"[:1], b"\xff"])
def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1-1.json").write_bytes(content)
    write(tmp_path, os.getpid(), 3)
    assert sum(Collector(tmp_path, SystemClock()).totals().counts.values()) == 3


def test_without_a_folder_there_is_nothing() -> None:
    totals = Collector(None, MovedClock()).totals()
    assert (totals.counts, totals.alive) == ({}, ())


def test_a_folder_that_is_gone_stops_no_process(tmp_path: Path) -> None:
    reporter = Reporter(Meters(), tmp_path / "gone", SystemClock())
    reporter.start()
    reporter.close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_ours_alone_and_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    folder = snapshot_folder(SystemClock(), tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    left = snapshot_folder(SystemClock(), tmp_path)
    write(left, _NOBODY, 1, age=3600)
    other = tmp_path / "another-program"
    other.mkdir()
    for path in (left, other):
        os.utime(path, (0, 0))
    write(folder, os.getpid(), 1)
    os.utime(folder, (0, 0))
    third = snapshot_folder(SystemClock(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, other.name, third.name}


def test_a_killed_process_leaves_its_last_snapshot(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from gateway.system import SystemClock\n"
        "from gateway.watch.meters import Meters\n"
        "from gateway.watch.snapshots import Reporter\n"
        "meters = Meters(); meters.fault()\n"
        "Reporter(meters, pathlib.Path(sys.argv[1]), SystemClock()).start()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -9
    assert Collector(tmp_path, SystemClock()).totals().counts == {("faults",): 1}
