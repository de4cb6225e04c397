"""How fast batches ask the registry: a rate over all workers, and a share of this worker's calls."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ports import Baton, Clock, Waiting

#: A worker takes so much of a second's calls at once: the table is asked twenty times a second and worker at most.
_PARTS = 20
#: A request waits for its turn for so long; then the caller is told to come more slowly.
_PATIENCE_SECONDS = 2.0
_TIGHT = 0.005
#: A worker that got nothing for so long looks whether the seconds are those of a clock that was wrong.
_STUCK_SECONDS = 10.0
#: For each call of a batch that is under way, so many may wait behind it.
_WAITING = 4


class PaceStore(Protocol):
    """How many calls of a second are taken, for all workers."""

    def take(self, upstream: str, second: int, calls: int, limit: int) -> bool:
        """Takes so many of this second's calls, or of a later one that is begun, if the limit leaves them."""
        ...

    def begin_anew(self, upstream: str, second: int) -> None:
        """Forgets a second that is far ahead of this one."""
        ...


class Pace:
    """One upstream's rate of calls for batches, and how many of this worker's may be under way."""

    def __init__(
        self, store: PaceStore, clock: Clock, waiting: Waiting, *, upstream: str, per_second: int, at_once: int
    ) -> None:
        """``at_once`` is below what the adapter lets through, so that single verifications keep their share."""
        self._store = store
        self._clock = clock
        self._waiting = waiting
        self._upstream = upstream
        self.per_second = per_second
        self._part = max(1, per_second // _PARTS)
        self._second, self._left = 0, 0
        self._refused_since: float | None = None
        self._free = at_once
        self._most = at_once * _WAITING
        self._queue: deque[Baton] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        """While the block runs, the registry may be asked once; raises Refusal (batch_too_fast)."""
        self._enter()
        try:
            self._rate()
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self._most:
                raise Refusal(Code.BATCH_TOO_FAST)
            baton = self._waiting.baton()
            self._queue.append(baton)
        baton.acquire()  # whoever leaves hands its place on

    def _leave(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1

    def _rate(self) -> None:
        until = self._clock.monotonic() + _PATIENCE_SECONDS
        while not self._taken():
            if self._clock.monotonic() >= until:
                raise Refusal(Code.BATCH_TOO_FAST)
            left = 1 - self._clock.now().timestamp() % 1
            self._waiting.pause(max(left, _TIGHT))

    def _taken(self) -> bool:
        second = int(self._clock.now().timestamp())
        with self._lock:
            if self._second == second and self._left:
                self._left -= 1
                return True
        part = self._part
        while not self._store.take(self._upstream, second, part, self.per_second):
            if part == 1:
                self._refused(second)
                return False
            part = 1  # what is left of the second may be less than a part
        with self._lock:
            # what was left of an earlier second is void; of this one, others may have brought some meanwhile
            self._left = part - 1 + (self._left if self._second == second else 0)
            self._second, self._refused_since = second, None
        return True

    def _refused(self, second: int) -> None:
        now = self._clock.monotonic()
        with self._lock:
            since = self._refused_since = now if self._refused_since is None else self._refused_since
            if now - since < _STUCK_SECONDS:
                return
            self._refused_since = None
        self._store.begin_anew(self._upstream, second)
