"""One deadline, idempotent retries, a bulkhead and a circuit breaker around an upstream; the clock passed in.

A saturated or dead upstream must answer in under a second: nothing here waits for a slot, and a breaker that is
open refuses without trying.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception, wait_exponential_jitter

from gateway.errors import Code, PasserelleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from gateway.ports import Clock

T = TypeVar("T")

_FIRST_WAIT = 0.05
_LONGEST_WAIT = 0.25
#: Less than this before the deadline is no time for another attempt.
_LEAST = 0.1


class AttemptFailedError(PasserelleError):
    """An attempt gave no usable answer.

    Attributes:
        code: what is said outside.
        again: whether another attempt may do better; such failures count against the breaker.
        retry_after: seconds after which the caller may come back, where that is known.
    """

    def __init__(self, code: Code, *, again: bool, retry_after: int | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.again = again
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ResilienceSettings:
    """How long and how often an upstream is tried; times in seconds.

    Attributes:
        deadline: for a call as a whole, retries and waits included.
        attempt_timeout: for one attempt.
        attempts: at most so many in a call.
        concurrency: calls at the same time; one more is refused at once.
        breaker_failures: failed attempts in a row that open the breaker.
        breaker_open: how long it then refuses, before one call may probe.
    """

    deadline: float = 5.0
    attempt_timeout: float = 2.0
    attempts: int = 3
    concurrency: int = 16
    breaker_failures: int = 5
    breaker_open: float = 5.0


class CircuitBreaker:
    """Closed, open for a time after failures in a row, then half open: one probe decides."""

    def __init__(self, clock: Clock, failures: int, open_for: float) -> None:
        self._clock = clock
        self._failures = failures
        self._open_for = open_for
        self._lock = threading.Lock()
        self._count = 0
        self._opened: float | None = None
        self._probing = False

    def admit(self) -> None:
        """Lets an attempt through, or raises AttemptFailedError with the time to wait."""
        with self._lock:
            if self._opened is None:
                return
            left = self._opened + self._open_for - self._clock.monotonic()
            if left > 0 or self._probing:
                raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=False, retry_after=max(1, math.ceil(left)))
            self._probing = True

    def record(self, *, alive: bool) -> None:
        """The end of an admitted attempt: whether the upstream gave any answer."""
        with self._lock:
            self._probing = False
            self._count = 0 if alive else self._count + 1
            if alive:
                self._opened = None
            elif self._opened is not None or self._count >= self._failures:
                self._opened = self._clock.monotonic()

    def seconds_left(self) -> int | None:
        """Whole seconds until the next probe, None when closed."""
        with self._lock:
            if self._opened is None:
                return None
            return max(1, math.ceil(self._opened + self._open_for - self._clock.monotonic()))


class Resilience:
    """Runs the attempts of one upstream."""

    def __init__(self, settings: ResilienceSettings, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._breaker = CircuitBreaker(clock, settings.breaker_failures, settings.breaker_open)

    def cut_off(self) -> bool:
        """Whether calls are refused without trying, until one may probe and succeeds."""
        return self._breaker.seconds_left() is not None

    def run(self, attempt: Callable[[float], T]) -> T:
        """The result of ``attempt(timeout)``, tried again while that may help and there is time.

        For what may be asked twice: a question, or an effect that bears one key in all its attempts. Each attempt
        builds its message anew. Raises AttemptFailedError of the last attempt, or ``upstream_unavailable`` at once when
        saturated or known to be dead.
        """
        if not self._slots.acquire(blocking=False):
            raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=True, retry_after=1)
        try:
            return self._retry(attempt, self._clock.monotonic() + self._settings.deadline)
        except AttemptFailedError as failed:
            if failed.again and failed.retry_after is None:
                failed.retry_after = self._breaker.seconds_left() or 1
            raise
        finally:
            self._slots.release()

    def _retry(self, attempt: Callable[[float], T], until: float) -> T:
        def stop(state: RetryCallState) -> bool:
            left = until - self._clock.monotonic() - _LONGEST_WAIT
            spent = state.attempt_number >= self._settings.attempts or left < _LEAST
            return spent or self._breaker.seconds_left() is not None

        # Most calls succeed at once, and tenacity costs more than signing: it is asked from the first failure on.
        try:
            return self._once(attempt, until)
        except AttemptFailedError as failed:
            if not failed.again:
                raise
            failures = [failed]

        def again() -> T:
            if failures:
                raise failures.pop()
            return self._once(attempt, until)

        retrying = Retrying(
            stop=stop,
            wait=wait_exponential_jitter(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT, jitter=_FIRST_WAIT),
            retry=retry_if_exception(lambda error: isinstance(error, AttemptFailedError) and error.again),
            sleep=self._sleep,
            reraise=True,
        )
        result: T = retrying(again)
        return result

    def _once(self, attempt: Callable[[float], T], until: float) -> T:
        self._breaker.admit()
        alive = True
        try:
            return attempt(min(self._settings.attempt_timeout, until - self._clock.monotonic()))
        except AttemptFailedError as failed:
            alive = not failed.again
            raise
        finally:
            self._breaker.record(alive=alive)
