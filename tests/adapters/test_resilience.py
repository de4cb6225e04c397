from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from adapters.resilience import AttemptFailedError, Resilience, ResilienceSettings
from gateway.errors import Code


@dataclass
class Timeline:
    """A clock that only sleeping and working move."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@dataclass
class Upstream:
    """Takes so long for an attempt, and fails as told."""

    line: Timeline
    takes: float = 0.0
    error: AttemptFailedError | None = None
    timeouts: list[float] = field(default_factory=list)

    def attempt(self, timeout: float) -> str:
        self.timeouts.append(timeout)
        self.line.at += min(self.takes, timeout)
        if self.error is not None:
            raise self.error
        return "answer"


def failing(*, again: bool) -> AttemptFailedError:
    return AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=again)


def test_attempts_end_with_their_number() -> None:
    line = Timeline()
    upstream = Upstream(line, error=failing(again=True))
    with pytest.raises(AttemptFailedError):
        Resilience(ResilienceSettings(attempts=3), line, line.sleep).run(upstream.attempt)
    assert len(upstream.timeouts) == 3
    assert len(line.slept) == 2
    assert line.at < 0.7


def test_attempts_end_with_the_deadline() -> None:
    line = Timeline()
    upstream = Upstream(line, takes=9, error=failing(again=True))
    settings = ResilienceSettings(deadline=2.5, attempt_timeout=1, attempts=9, breaker_failures=99)
    with pytest.raises(AttemptFailedError):
        Resilience(settings, line, line.sleep).run(upstream.attempt)
    assert line.at <= 2.5
    assert upstream.timeouts[0] == 1
    assert len(upstream.timeouts) > 1


def test_a_last_attempt_gets_only_what_is_left() -> None:
    line = Timeline()
    upstream = Upstream(line, takes=9, error=failing(again=True))
    settings = ResilienceSettings(deadline=2.5, attempt_timeout=2, attempts=9, breaker_failures=99)
    with pytest.raises(AttemptFailedError):
        Resilience(settings, line, line.sleep).run(upstream.attempt)
    assert upstream.timeouts[-1] < 0.5
    assert line.at == pytest.approx(2.5)


def test_what_another_attempt_cannot_mend_is_not_tried_again() -> None:
    line = Timeline()
    upstream = Upstream(line, error=failing(again=False))
    with pytest.raises(AttemptFailedError):
        Resilience(ResilienceSettings(), line, line.sleep).run(upstream.attempt)
    assert len(upstream.timeouts) == 1


def test_the_breaker_opens_probes_and_closes() -> None:
    line = Timeline()
    upstream = Upstream(line, error=failing(again=True))
    settings = ResilienceSettings(attempts=1, breaker_failures=2, breaker_open=5)
    resilience = Resilience(settings, line, line.sleep)

    def fails() -> AttemptFailedError:
        with pytest.raises(AttemptFailedError) as caught:
            resilience.run(upstream.attempt)
        return caught.value

    fails()
    fails()
    assert fails().retry_after == 5
    assert len(upstream.timeouts) == 2  # open: nothing was tried
    line.at += 5
    fails()
    assert len(upstream.timeouts) == 3  # one probe, and open again
    fails()
    assert len(upstream.timeouts) == 3
    line.at += 5
    upstream.error = None
    assert resilience.run(upstream.attempt) == "answer"
    assert resilience.run(upstream.attempt) == "answer"


def test_an_error_that_is_ours_frees_the_slot_and_the_probe() -> None:
    line = Timeline()
    resilience = Resilience(ResilienceSettings(concurrency=1), line, line.sleep)

    def broken(_: float) -> str:
        raise RuntimeError("ours")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="ours"):
            resilience.run(broken)
    assert resilience.run(Upstream(line).attempt) == "answer"
