"""Nothing is served under a policy of which it is not known that it is in force."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from gateway.errors import ConfigurationError, NotRecordedError, StorageUnavailableError
from gateway.in_force import Attempt
from gateway.switch import STALE_SECONDS, Served, Switch
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.policy.judge import InForce

PLACE = Attempt("ab", "approvals_too_few")


@dataclass
class Time:
    ran: float = 100.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.ran


@dataclass
class FakeFollower:
    """What is in force, as a test says; ``broken`` is what a look ends with."""

    current: Any = "first"
    broken: Exception | None = None
    looks: int = 0
    noted: tuple[Attempt, ...] = ()

    def begin(self, _rows: object) -> None:
        self.looks = 0

    def follow(self, _rows: object) -> bool:
        self.looks += 1
        if self.broken is not None:
            raise self.broken
        return True

    def attempts(self) -> tuple[Attempt, ...]:
        found, self.noted = self.noted, ()
        return found


@dataclass
class Said:
    """An exchange and a ledger that say under which policy they are."""

    policy: Any

    def handle(self, _received: object) -> str:
        return f"under {self.policy}"

    def not_recorded(self, refused: Any) -> str:
        assert refused.refusal.code == "not_recorded"
        return "503"

    def identify(self, _received: object) -> str:
        return f"party under {self.policy}"


@dataclass
class Recorder:
    broken: Exception | None = None
    kept: list[tuple[str | None, str]] = field(default_factory=list)

    def refuse_once(self, policy: str | None, reason: str) -> bool:
        if self.broken is not None:
            raise self.broken
        self.kept.append((policy, reason))
        return True


class Bench:
    def __init__(self) -> None:
        self.time, self.follower, self.recorder = Time(), FakeFollower(), Recorder()
        self.told: list[Attempt] = []
        self.failed: list[Exception] = []
        self.unbuildable: set[Any] = set()
        self.switch = self._switch()

    def _switch(self) -> Switch:
        make = cast("Callable[..., Switch]", Switch)
        return make(
            self.follower, None, self.recorder, self._build,
            clock=self.time, waiting=Threads(), told=self.told.append, failed=self.failed.append,
        )  # fmt: skip

    def _build(self, policy: InForce) -> Served:
        if policy in self.unbuildable:
            raise ConfigurationError("certificate_not_pem")
        said = Said(policy)
        return cast("Callable[..., Served]", Served)(policy, said, said, said)

    def asks(self) -> object:
        return self.switch.handle(cast("Any", None))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_exchange_goes_through_what_is_in_force(bench: Bench) -> None:
    assert bench.asks() == "under first"
    bench.follower.current = "second"
    assert bench.asks() == "under first"
    bench.switch.look()
    assert bench.asks() == "under second"
    party: object = bench.switch.identify(cast("Any", None))
    assert party == "party under second"


def test_who_comes_after_a_second_without_a_look_looks_first(bench: Bench) -> None:
    bench.follower.current = "second"
    bench.time.ran += STALE_SECONDS
    assert (bench.asks(), bench.follower.looks) == ("under first", 0)
    bench.time.ran += 0.001
    assert (bench.asks(), bench.follower.looks) == ("under second", 1)
    assert (bench.asks(), bench.follower.looks) == ("under second", 1)


def test_nothing_is_served_while_it_cannot_be_known_what_is_in_force(bench: Bench) -> None:
    bench.follower.broken = StorageUnavailableError("locked")
    assert bench.asks() == "under first"  # known a moment ago
    bench.time.ran += STALE_SECONDS + 0.001
    assert (bench.asks(), bench.follower.looks) == ("503", 1)
    assert (bench.asks(), bench.follower.looks) == ("503", 1)  # nobody else waits for what has just failed
    bench.follower.broken = None
    bench.time.ran += STALE_SECONDS
    assert bench.asks() == "under first"


def test_a_policy_that_cannot_be_built_is_not_replaced_by_the_former_one(bench: Bench) -> None:
    bench.follower.current = "second"
    bench.unbuildable.add("second")
    bench.time.ran += STALE_SECONDS + 0.001
    assert bench.asks() == "503"
    bench.unbuildable.clear()
    bench.time.ran += STALE_SECONDS
    assert bench.asks() == "under second"


def test_of_many_who_waited_one_looks(bench: Bench) -> None:
    bench.time.ran += STALE_SECONDS + 0.001
    answers: list[object] = []
    callers = [threading.Thread(target=lambda: answers.append(bench.asks())) for _ in range(8)]
    with bench.switch._lock:
        for caller in callers:
            caller.start()
    for caller in callers:
        caller.join()
    assert answers == ["under first"] * 8
    assert bench.follower.looks == 1


def test_an_attempt_is_told_once_and_recorded_as_soon_as_that_can_be(bench: Bench) -> None:
    bench.follower.noted = (PLACE,)
    bench.recorder.broken = NotRecordedError("disk full")
    with pytest.raises(NotRecordedError):
        bench.switch.tell()
    assert (bench.told, bench.recorder.kept) == ([PLACE], [])
    bench.recorder.broken = None
    bench.switch.tell()
    bench.switch.tell()
    assert (bench.told, bench.recorder.kept) == ([PLACE], [("ab", "approvals_too_few")])


def test_it_looks_by_itself_and_goes_on_after_a_failure(bench: Bench) -> None:
    tried = threading.Event()

    def failed(error: Exception) -> None:
        bench.failed.append(error)
        tried.set()

    bench.switch._failed = failed
    bench.follower.broken = StorageUnavailableError("locked")
    bench.switch.start()
    assert tried.wait(40)
    bench.follower.broken, bench.follower.current = None, "second"
    bench.time.ran += STALE_SECONDS
    for _ in range(500):
        if bench.switch.served.policy == cast("Any", "second"):
            break
        tried.clear()
        tried.wait(0.01)
    bench.switch.close()
    assert bench.asks() == "under second"
    assert isinstance(bench.failed[0], StorageUnavailableError)
