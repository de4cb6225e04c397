"""One party's lane: threads of its own, so that a party that is slow or down stops no other (a bulkhead and a breaker).

While the party fails, nothing of its is claimed for a pause that grows; then one notice alone probes it. At the first
success all threads go on, and 10,000 that waited go out as fast as the party takes them.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, PasserelleError
from gateway.model import UpstreamRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from gateway.delivery.pace import Pace
    from gateway.delivery.rows import Claimed
    from gateway.notices import Outcome
    from gateway.ports import Clock, Randomness, Stop

_IDLE_SECONDS = 0.2


class Claims(Protocol):
    """The outbox, as far as it is emptied."""

    def claim(self, party: str, most: int, lease: timedelta) -> Sequence[Claimed]:
        """Notices that are due, ours until the lease ends."""
        ...

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        """What was claimed and not begun."""
        ...

    def put_off(self, claimed: Claimed, due: datetime, reason: str) -> None:
        """What cannot be tried now: others come first."""
        ...


@dataclass(frozen=True, slots=True)
class LaneRules:
    """How many notices go to a party at once, how long a claim holds, how long a failing party is left alone."""

    threads: int
    lease: timedelta
    pause: Pace


class Lane:
    """Delivers to one party until it is told to stop; ``start`` it, then ``join``."""

    def __init__(
        self,
        party: str,
        claims: Claims,
        deliver: Callable[[Claimed], Outcome | None],
        *,
        rules: LaneRules,
        clock: Clock,
        randomness: Randomness,
        stop: Stop,
        failed: Callable[[Exception], None],
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        """``deliver`` is a round of one; ``failed`` hears of faults of ours; ``may``: whether anything goes out now."""
        self._party = party
        self._claims = claims
        self._deliver = deliver
        self._rules = rules
        self._clock = clock
        self._randomness = randomness
        self._stop = stop
        self._failed = failed
        self._may = may
        self._lock = threading.Lock()
        self._claimed: deque[tuple[Claimed, float]] = deque()
        self._failures = 0
        self._until = 0.0
        self._probing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"deliveries-{party}-{number}", daemon=True)
            for number in range(rules.threads)
        ]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits for the rounds that were begun, after ``stop``; gives back what was not."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        with suppress(PasserelleError):  # then the leases end by themselves
            self._claims.give_back([claimed for claimed, _ in self._claimed])

    def step(self) -> Outcome | None:
        """One round; None where nothing is due, or the party is left alone for now."""
        found = self._next()
        if found is None:
            return None
        try:
            outcome = self._deliver(found)
        except UpstreamRefusal:
            self._party_failed()
            self._returned(found)
            return None
        except Exception as fault:  # noqa: BLE001  whatever it is, the next round may go well
            self._failed(fault)
            self._party_failed()
            self._put_off(found)
            return None
        if outcome == "delivered":
            self._party_lives()
        elif outcome == "failed":
            self._party_failed()
        else:
            with self._lock:
                self._probing = False
        return outcome

    @property
    def failures(self) -> int:
        """How many rounds in a row the party has failed."""
        return self._failures

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                outcome = self.step()
            except Exception as fault:  # noqa: BLE001  whatever it is, a lane without threads would deliver nothing
                self._failed(fault)
                outcome = None
            if outcome is None:
                self._stop.wait(_IDLE_SECONDS)

    def _next(self) -> Claimed | None:
        with self._lock:
            now = self._clock.monotonic()
            if self._claimed and not self._may():  # since they were claimed: suspended, or the log is halted
                waiting, self._claimed = [one for one, _ in self._claimed], deque()
                with suppress(PasserelleError):  # then the leases end by themselves
                    self._claims.give_back(waiting)
            while self._claimed:
                claimed, until = self._claimed.popleft()
                if now < until:
                    return claimed
            # half open: one alone, whose success or failure is that of all
            if now < self._until or self._probing or not self._may():
                return None
            try:
                found = self._claims.claim(self._party, 1 if self._failures else self._rules.threads, self._rules.lease)
            except PasserelleError as fault:
                self._failed(fault)
                self._until = now + 1
                return None
            if not found:
                return None
            self._probing = self._failures > 0
            # half of the lease for waiting, the other for the round itself
            until = now + self._rules.lease.total_seconds() / 2
            self._claimed.extend((one, until) for one in found[1:])
            return found[0]

    def _party_lives(self) -> None:
        with self._lock:
            self._failures, self._until, self._probing = 0, 0.0, False

    def _party_failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._probing = False
            pause = self._rules.pause.wait(self._failures, self._randomness).total_seconds()
            self._until = max(self._until, self._clock.monotonic() + pause)

    def _returned(self, claimed: Claimed) -> None:
        with suppress(PasserelleError):  # then the lease ends by itself
            self._claims.give_back([claimed])

    def _put_off(self, claimed: Claimed) -> None:
        # it may be this notice alone that fails, a row that does not open: the oldest would be claimed again and again
        due = self._clock.now() + self._rules.pause.wait(claimed.attempts + 1, self._randomness)
        with suppress(PasserelleError):
            self._claims.put_off(claimed, due, Code.INTERNAL.value)
