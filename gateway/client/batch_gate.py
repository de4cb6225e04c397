"""When the gateway, or the registry behind it, cannot answer: all wait, and one asks again now and then.

And how fast records leave: evenly, at the rate that was allowed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gateway.errors import PasserelleError

if TYPE_CHECKING:
    from gateway.ports import Clock, Randomness

_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 10.0
_LOOK_SECONDS = 0.2
_HALF = 2**31


class StoppedError(PasserelleError):
    """Somebody has asked that the batch stop."""


class Gate:
    """Lets all through while answers come; after a failure one at a time, each later than the one before."""

    def __init__(self, clock: Clock, randomness: Randomness, stop: threading.Event) -> None:
        self._clock = clock
        self._randomness = randomness
        self._stop = stop
        self._condition = threading.Condition()
        self._failures = 0
        self._until = 0.0
        self._probing = False
        self._failing_since: float | None = None
        self.reason: str | None = None

    def enter(self) -> None:
        """Returns when it is worth asking; raises StoppedError."""
        with self._condition:
            while True:
                if self._stop.is_set():
                    raise StoppedError
                left = self._until - self._clock.monotonic()
                if self.reason is None:
                    return
                if not self._probing and left <= 0:
                    self._probing = True
                    return
                self._condition.wait(min(_LOOK_SECONDS, left) if left > 0 else _LOOK_SECONDS)

    def fail(self, reason: str, retry_after: float = 0) -> None:
        """An answer did not come, or said to come later (seconds); of several failures at once, one counts."""
        with self._condition:
            if self.reason is not None and not self._probing:
                return
            self._probing = False
            now = self._clock.monotonic()
            if self.reason is None:
                self._failing_since = now
            self.reason = reason
            self._until = now + max(retry_after, self._backoff())
            self._failures += 1
            self._condition.notify_all()

    def succeed(self) -> None:
        """An answer came."""
        if self.reason is None:
            return
        with self._condition:
            self.reason, self._failing_since = None, None
            self._failures, self._probing = 0, False
            self._condition.notify_all()

    def failing_for(self) -> float:
        """Seconds without an answer; 0 while answers come."""
        since = self._failing_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def _backoff(self) -> float:
        """Twice as long each time, and up to half of it more, so that many clients do not come at once."""
        wait = min(_LONGEST_SECONDS, _FIRST_SECONDS * (1 << min(self._failures, 10)))
        drawn = int.from_bytes(self._randomness.bytes(4)) / _HALF / 4
        return wait * (1 + drawn)


class Rate:
    """Lets so many through in a second, one after the other."""

    def __init__(self, per_second: float, clock: Clock, stop: threading.Event) -> None:
        self._step = 1 / per_second
        self._clock = clock
        self._stop = stop
        self._next = clock.monotonic()

    def wait(self) -> None:
        """Returns when the next may leave; raises StoppedError. From one thread only."""
        now = self._clock.monotonic()
        # what a pause left unused is lost but for a tenth of a second's worth: nobody catches up in a burst
        self._next = max(self._next + self._step, now - 0.1)
        if self._stop.wait(max(0.0, self._next - now)) if self._next > now else self._stop.is_set():
            raise StoppedError
