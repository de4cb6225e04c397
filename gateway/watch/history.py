"""The last hour, minute by minute, and the steps of the clock: what a single reading cannot tell."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.watch.meters import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.ports import Clock
    from gateway.watch.meters import Key

HOUR = 3600.0
_MINUTE = 60.0
_KEPT = 61
#: The wall clock may drift against the other; more than this between two looks is a step.
_STEP_SECONDS = 2.0


class History:
    """Totals as they stood at the end of each minute; before the start, what ``kept`` tells of the process before."""

    def __init__(self, clock: Clock, kept: Path | None = None) -> None:
        """``kept`` is a file in which the hour survives a restart; without, or where it is unreadable, all begins."""
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = kept
        began = clock.monotonic()
        past = _read(kept, clock.now().timestamp()) if kept is not None else []
        self._samples: deque[tuple[float, Mapping[Key, int]]] = deque(
            [*((began - ago, counts) for ago, counts in past), (began, {})], maxlen=_KEPT
        )
        self._steps: list[float] = []
        self._offset = self._wall_offset()

    def due(self) -> bool:
        """Whether a minute is over."""
        return self._clock.monotonic() - self._samples[-1][0] >= _MINUTE

    def sample(self, counts: Mapping[Key, int]) -> None:
        """The end of a minute."""
        with self._lock:
            self._samples.append((self._clock.monotonic(), dict(counts)))
        self.keep(counts)

    def keep(self, counts: Mapping[Key, int]) -> None:
        """Writes the hour for the process after this one; a full disk is no reason to stop watching."""
        if self._kept is None:
            return
        now, mono = self._clock.now().timestamp(), self._clock.monotonic()
        with self._lock:
            # against the totals of now, which will be nothing for whoever starts next
            rows = [(now - (mono - at), _less(sample, counts)) for at, sample in self._samples]
        content = [[at, [[list(key), value] for key, value in sample.items()]] for at, sample in rows]
        with suppress(OSError):
            temporary = self._kept.with_suffix(".new")
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(self._kept)

    def look_at_the_clock(self) -> None:
        """Notes a step since the last look."""
        offset = self._wall_offset()
        if abs(offset - self._offset) > _STEP_SECONDS:
            self._steps.append(self._clock.monotonic())
        self._offset = offset

    def steps(self, seconds: float | None = None) -> int:
        """Steps of the clock in so many seconds; since the start without."""
        since = 0.0 if seconds is None else self._clock.monotonic() - seconds
        return sum(1 for at in self._steps if at >= since)

    def within(self, seconds: float, counts: Mapping[Key, int]) -> dict[Key, int]:
        """What was added in the last seconds, to the minute, where that is not nothing."""
        since = self._clock.monotonic() - seconds
        with self._lock:
            base = next((kept for at, kept in reversed(self._samples) if at <= since), self._samples[0][1])
        return _less(counts, base)

    def exchanges_per_minute(self, counts: Mapping[Key, int]) -> tuple[int, ...]:
        """Exchanges that left in each minute kept, the present and unfinished one last."""
        with self._lock:
            kept = [sum(v for key, v in sample.items() if key[0] == EXCHANGES) for _, sample in self._samples]
        kept.append(sum(value for key, value in counts.items() if key[0] == EXCHANGES))
        return tuple(after - before for before, after in pairwise(kept))

    def _wall_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


def _less(counts: Mapping[Key, int], base: Mapping[Key, int]) -> dict[Key, int]:
    return {key: more for key in {**base, **counts} if (more := counts.get(key, 0) - base.get(key, 0))}


def _read(path: Path, now: float) -> list[tuple[float, dict[Key, int]]]:
    """The samples of the last hour, with their ages in seconds, the oldest first."""
    try:
        rows = [
            (now - float(at), {tuple(map(str, key)): int(value) for key, value in sample})
            for at, sample in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, TypeError):
        return []
    return sorted(((ago, sample) for ago, sample in rows if 0 <= ago <= HOUR), key=lambda row: -row[0])
