"""How a process's meters reach whoever watches: a small file each second, and the sum over all processes.

The files lie in memory where the system has such a folder: a full disk must not stop what tells of a full disk.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.watch.facts import Alive
from gateway.watch.meters import BUCKETS, EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.ports import Clock
    from gateway.watch.meters import Key, Meters

_EVERY_SECONDS = 1.0
#: A process that has not written for so long is gone, or hangs.
_GONE_SECONDS = 10.0
_MEMORY = Path("/dev/shm")  # noqa: S108  mkdtemp makes a folder of our own in it, for nobody else
#: Whoever lives writes each second.
_LEFT_SECONDS = 120.0
_PREFIX = "passerelle-"
#: By this variable a child learns where its snapshots go.
FOLDER = "METERS_IN"


def snapshot_folder(clock: Clock, parent: Path | None = None) -> Path:
    """A new folder, only ours; remove it at the end. Those that a killed supervisor left behind are removed first."""
    parent = parent or (_MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir()))
    now = clock.now().timestamp()
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if left.owner() == Path("/proc/self").owner() and now - _last_written(left) > _LEFT_SECONDS:
                shutil.rmtree(left)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))


def _last_written(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


class Reporter:
    """Writes the snapshots of one process; nothing that an exchange waits for, and no failure is anybody's."""

    def __init__(self, meters: Meters, folder: Path, clock: Clock) -> None:
        self._meters = meters
        self._since = clock.now()
        self._path = folder / f"{os.getpid()}-{self._since.timestamp():.0f}.json"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meters", daemon=True)

    def start(self) -> None:
        """Begins; the first snapshot is there when this returns."""
        self._write()
        self._thread.start()

    def close(self) -> None:
        """The last snapshot."""
        self._stop.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._write()

    def _write(self) -> None:
        with suppress(OSError):
            content = {"pid": os.getpid(), "since": self._since.isoformat(), **self._meters.snapshot()}
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(self._path)


@dataclass(frozen=True, slots=True)
class Totals:
    """All processes together: counts and times since the start, levels of those that live."""

    counts: Mapping[Key, int]
    times: Mapping[Key, list[float]] = field(repr=False)
    levels: Mapping[Key, list[float]] = field(repr=False)
    alive: tuple[Alive, ...] = ()


class Collector:
    """Sums the snapshots of a folder; what a dead process counted stays counted."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        """Without a folder there is nothing to sum."""
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        self._times: dict[Key, list[float]] = {}

    def totals(self) -> Totals:
        """What stands in the files now."""
        with self._lock:
            counts, times = Counter(self._counts), {key: list(row) for key, row in self._times.items()}
            levels: dict[Key, list[float]] = {}
            alive: list[Alive] = []
            for path, content in self._files():
                rows = [(tuple(key), value) for key, value in content["counts"]]
                _add(counts, times, content)
                if self._is_gone(path):
                    self._bury(path, content)
                    continue
                for key, value in content["levels"]:
                    levels.setdefault(tuple(key), []).append(value)
                served = sum(value for key, value in rows if key[0] == EXCHANGES)
                alive.append(Alive(content["pid"], content["since"], served, *resources(content["pid"])))
        return Totals(counts, times, levels, tuple(sorted(alive, key=lambda item: item.pid)))

    def _files(self) -> Iterable[tuple[Path, dict[str, Any]]]:
        for path in sorted(self._folder.glob("*.json")) if self._folder is not None else ():
            # a file that is being replaced is read the next time
            with suppress(OSError, ValueError):
                yield path, json.loads(path.read_text(encoding="utf-8"))

    def _is_gone(self, path: Path) -> bool:
        try:
            written = path.stat().st_mtime
        except OSError:
            return False
        stale = self._clock.now().timestamp() - written > _GONE_SECONDS
        return stale and not Path(f"/proc/{path.name.split('-', 1)[0]}").exists()

    def _bury(self, path: Path, content: dict[str, Any]) -> None:
        _add(self._counts, self._times, content)
        path.unlink(missing_ok=True)


def resources(pid: int) -> tuple[int, int, int]:
    """Resident memory in bytes, open files, and how many it may open; zeros for a process that is not there."""
    home = Path("/proc") / str(pid)
    try:
        memory = int((home / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        files = sum(1 for _ in (home / "fd").iterdir())
        limits = (home / "limits").read_text(encoding="ascii").splitlines()
        most = next(line for line in limits if line.startswith("Max open files")).split()[3]
    except (OSError, StopIteration):
        return (0, 0, 0)
    return (memory, files, int(most) if most.isdigit() else 0)


def _add(counts: Counter[Key], times: dict[Key, list[float]], content: dict[str, Any]) -> None:
    for key, value in content["counts"]:
        counts[tuple(key)] += value
    for key, row in content["times"]:
        kept = times.setdefault(tuple(key), [0.0] * (len(BUCKETS) + 2))
        for place, value in enumerate(row):
            kept[place] += value
