"""One round of one delivery: opened, judged by the policy of now, sent, recorded.

At least once, whatever dies where: before the send, the lease ends and the notice is tried again; between the send and
the record, too, and the addressee knows the delivery's id. What is recorded changes the outbox in the same transaction.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, Refusal
from gateway.model import UpstreamRefusal
from gateway.notices import Round

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.change import Change
    from gateway.delivery.pace import Pace
    from gateway.delivery.rows import Claimed
    from gateway.delivery.sealing import Sealing
    from gateway.model import Attempt
    from gateway.notices import Notice, Outcome, Telling
    from gateway.ports import Clock, Randomness

#: Why a notice is dead: its time is over, or nobody may be told of it any more.
EXPIRED = "expired"


class Rows(Protocol):
    """What a round changes in the outbox, with its record."""

    def delivered(self, claimed: Claimed) -> Change:
        """It is out."""
        ...

    def later(self, claimed: Claimed, due: datetime, reason: str) -> Change:
        """It is to be tried again."""
        ...

    def buried(self, claimed: Claimed, reason: str, *, asked: bool) -> Change:
        """It is a dead letter; a conflict where it is somebody else's by now."""
        ...


class Policy(Protocol):
    """Step 5 of a delivery, under the policy of now."""

    def telling(self, notice: Notice, at: datetime) -> Telling:
        """The agreement by which its addressee may be told; raises Refusal, party_suspended among others."""
        ...

    def sha256(self) -> str:
        """Hex digest of the bundle in force."""
        ...


class Tell(Protocol):
    """The addressee's system, behind its adapter."""

    def __call__(self, telling: Telling) -> tuple[Attempt, ...]:
        """Every attempt, the last one answered; raises UpstreamRefusal, which carries its attempts."""
        ...


class Recorder(Protocol):
    """The ledger."""

    def record(self, done: Round, changes: tuple[Change, ...]) -> None:
        """Returns when the leaf, and what changes with it, is on the disk; raises NotRecordedError, Refusal."""
        ...


class Family(Protocol):
    """What a child's family can be told."""

    def delivered(self, done: Round) -> tuple[Change, ...]:
        """A note that the addressee has been told of the child."""
        ...


class Deliverer:
    """Takes claimed notices through a round each; used by all threads."""

    def __init__(
        self,
        *,
        rows: Rows,
        sealing: Sealing,
        policy: Policy,
        recorder: Recorder,
        family: Family,
        pace: Pace,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._rows = rows
        self._sealing = sealing
        self._policy = policy
        self._recorder = recorder
        self._family = family
        self._pace = pace
        self._clock = clock
        self._randomness = randomness

    def round(self, claimed: Claimed, tell: Tell) -> Outcome | None:
        """What came of it, once that is recorded; None where it became somebody else's before anything was sent.

        Raises UpstreamRefusal where nothing could be sent, NotRecordedError, KeystoreError, StorageUnavailableError:
        nothing is changed then, and the lease ends by itself.
        """
        at = self._clock.now()
        notice = self._sealing.open(claimed.delivery, claimed.content)
        if at >= notice.expires:  # as it was sealed, whatever the row says
            return self._dead(claimed, notice, at, EXPIRED)
        try:
            telling = self._policy.telling(notice, at)
        except Refusal as refusal:
            if refusal.code is Code.PARTY_SUSPENDED:  # since it was claimed: it is left alone, and its notices wait
                raise UpstreamRefusal(refusal.code) from None
            return self._dead(claimed, notice, at, refusal.code.value)
        try:
            attempts = tell(telling)
        except UpstreamRefusal as refusal:
            if not refusal.attempts:
                raise
            return self._failed(claimed, notice, at, telling, refusal)
        except Refusal as refusal:  # their document does not take these values
            return self._dead(claimed, notice, at, refusal.code.value)
        done = self._of("delivered", notice, at, None, telling, attempts)
        self._recorder.record(done, (self._rows.delivered(claimed), *self._family.delivered(done)))
        return "delivered"

    def _failed(
        self, claimed: Claimed, notice: Notice, at: datetime, telling: Telling, refusal: UpstreamRefusal
    ) -> Outcome:
        reason = refusal.code.value
        due = self._clock.now() + self._pace.wait(claimed.attempts + 1, self._randomness)
        if due >= notice.expires:
            done = self._of("dead", notice, at, reason, telling, refusal.attempts)
            with suppress(Refusal):  # somebody else's by now, who may have delivered it: this round alone has failed
                self._recorder.record(done, (self._rows.buried(claimed, reason, asked=True),))
                return "dead"
        done = self._of("failed", notice, at, reason, telling, refusal.attempts)
        self._recorder.record(done, (self._rows.later(claimed, due, reason),))
        return "failed"

    def _dead(self, claimed: Claimed, notice: Notice, at: datetime, reason: str) -> Outcome | None:
        done = self._of("dead", notice, at, reason)
        with suppress(Refusal):  # somebody else's by now: whether it is dead is for him to say
            self._recorder.record(done, (self._rows.buried(claimed, reason, asked=False),))
            return "dead"
        return None

    def _of(
        self,
        outcome: Outcome,
        notice: Notice,
        at: datetime,
        reason: str | None,
        telling: Telling | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> Round:
        policy = self._policy.sha256() if telling is None else telling.policy_sha256
        return Round(self._randomness.uuid(), notice, at, policy, outcome, telling, attempts, reason)
