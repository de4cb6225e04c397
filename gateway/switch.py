"""The switch: every exchange goes through the policy in force, from one moment to the next (P1, P2).

A worker looks for acts about the policy in a thread of its own, judges them itself, builds what the new policy asks for
beside the old, and exchanges one reference. Exchanges under way end under the policy that granted them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Code, PasserelleError, Refusal, StorageUnavailableError
from gateway.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.exchange import Exchange
    from gateway.in_force import Attempt, Follower
    from gateway.ledger.policy_acts import PolicyLog
    from gateway.ledger.storage import PolicyRows
    from gateway.model import Party, Received, Released
    from gateway.policy.judge import InForce
    from gateway.ports import Clock, Identity, Ledger, Waiting

POLL_SECONDS = 0.25
#: No exchange begins under a policy that was last found in force longer ago: the audit allows two seconds in all.
STALE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Served:
    """One policy, and what exchanges under it go through."""

    policy: InForce
    exchange: Exchange
    identity: Identity
    ledger: Ledger


class Switch:
    """The exchange under the policy in force; also ports.Identity under it."""

    def __init__(
        self,
        follower: Follower,
        rows: PolicyRows,
        recorder: PolicyLog,
        build: Callable[[InForce], Served],
        *,
        clock: Clock,
        waiting: Waiting,
        told: Callable[[Attempt], None],
        failed: Callable[[Exception], None],
        look_too: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins under what is in force now, in this process.

        Args:
            follower: walks the acts; begun, perhaps before the fork.
            rows: where they are, on a connection of this process.
            recorder: keeps what was refused.
            build: makes everything for a policy, and lets its callers in; in any thread.
            clock: for how long a look holds.
            waiting: how an exchange waits for a look.
            told: hears of each attempt once.
            failed: hears of a look that failed; another one follows.
            look_too: called after each look, in the same thread, where it may wait.
        """
        self._follower = follower
        self._rows = rows
        self._recorder = recorder
        self._build = build
        self._clock = clock
        self._waiting = waiting
        self._told = told
        self._failed = failed
        self._look_too = look_too
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._unrecorded: list[Attempt] = []
        self._trouble = 0.0
        self._confirmed = clock.monotonic()
        follower.begin(rows)
        self.served = build(follower.current)

    def start(self) -> None:
        """Begins to look by itself, four times a second."""
        self._thread.start()

    def close(self) -> None:
        """Looks no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def handle(self, received: Received) -> Released:
        """The answer under the policy in force; a signed 503 where it cannot be known which one that is."""
        try:
            self._confirm()
        except PasserelleError:
            return self.served.ledger.not_recorded(Refused(received, None, Refusal(Code.NOT_RECORDED), None))
        return self.served.exchange.handle(received)

    def identify(self, received: Received) -> Party:
        """Step 1 under the policy in force; raises Refusal."""
        return self.served.identity.identify(received)

    def look(self) -> None:
        """Takes what has come since, and switches if another policy is in force; in any thread, and it may wait.

        Raises StorageUnavailableError, or whatever ``build`` raises: then nothing is served under the former policy.
        """
        with self._lock:
            self._look()

    def tell(self) -> None:
        """Tells of what could not be verified, and records it once; what cannot be recorded now is tried again."""
        with self._lock:  # a look in another thread may be noting some
            attempts = self._follower.attempts()
        for attempt in attempts:
            self._told(attempt)
            self._unrecorded.append(attempt)
        while self._unrecorded:
            self._recorder.refuse_once(self._unrecorded[0].policy, self._unrecorded[0].reason)
            self._unrecorded.pop(0)

    def _confirm(self) -> None:
        if self._is_stale():
            self._waiting.blocking(self._look_if_stale)

    def _is_stale(self) -> bool:
        return self._clock.monotonic() - self._confirmed > STALE_SECONDS

    def _look_if_stale(self) -> None:
        with self._lock:
            if self._is_stale():  # of many who have waited, the first alone looks
                self._look()

    def _look(self) -> None:
        at = self._clock.monotonic()
        if at < self._trouble:
            raise StorageUnavailableError("a look at the policy has just failed")
        try:
            self._follower.follow(self._rows)
            if self.served.policy is not self._follower.current:
                self.served = self._build(self._follower.current)
        except BaseException:
            self._trouble = self._clock.monotonic() + STALE_SECONDS / 2
            raise
        self._confirmed = at

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.look()
                self.tell()
                self._look_too()
            except Exception as error:  # noqa: BLE001  whatever it is, the next look may mend it
                self._failed(error)
