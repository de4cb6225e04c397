"""What a person may do with a dead letter: send it again, or give it up; either is evidence, with the reason given.

And with one that does not open any more: give it up, as evidence of what its row still says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gateway.delivery.sealing import SEALED_OTHERWISE
from gateway.errors import KeystoreError, Refusal, ShownError
from gateway.notices import Round, Unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from uuid import UUID

    from gateway.change import Change
    from gateway.delivery.rows import Waiting
    from gateway.delivery.sealing import Sealing
    from gateway.notices import Notice, Outcome
    from gateway.ports import Clock, Randomness

_LONGEST_REASON = 200


class OutboxActError(ShownError):
    """What was asked cannot be done with this notice; the text says why."""


class UnfitReasonError(ShownError):
    """What was given is no reason that the log can keep; the text says why and what to write, and never repeats it."""


class Letters(Protocol):
    """The outbox, as a person acts on it."""

    def one(self, delivery: UUID) -> tuple[Waiting, bytes] | None:
        """One notice with its sealed content."""
        ...

    def resent(self, delivery: UUID, due: datetime, expires: datetime, content: bytes) -> Change:
        """A dead letter waits again."""
        ...

    def dropped(self, delivery: UUID) -> Change:
        """A dead letter is given up."""
        ...

    def dropped_unread(self, delivery: UUID, content: bytes) -> Change:
        """A notice that does not open is given up."""
        ...


class Ledger(Protocol):
    """The ledger, which also takes what nobody can open."""

    def record(self, done: Round, changes: tuple[Change, ...]) -> None:
        """Returns when the leaf, and what changes with it, is on the disk; raises NotRecordedError, Refusal."""
        ...

    def give_up(self, letter: Unread, changes: tuple[Change, ...]) -> None:
        """As ``record``."""
        ...


class OutboxActs:
    """Sends dead letters again, or gives them up."""

    def __init__(
        self,
        letters: Letters,
        sealing: Sealing,
        recorder: Ledger,
        *,
        policy_sha256: str,
        expiry: timedelta,
        clock: Clock,
        randomness: Randomness,
        unfit: Callable[[str], bool],
    ) -> None:
        """``expiry``: how long a letter that is sent again may wait; ``unfit``: what no reason may be."""
        self._letters = letters
        self._sealing = sealing
        self._recorder = recorder
        self._policy_sha256 = policy_sha256
        self._expiry = expiry
        self._clock = clock
        self._randomness = randomness
        self._unfit = unfit

    def resend(self, delivery: UUID, reason: str) -> None:
        """It waits again, with a new time to live.

        Raises UnfitReasonError, OutboxActError, NotRecordedError, KeystoreError.
        """
        notice, at = self._dead(delivery, reason), self._clock.now()
        renewed = replace(notice, expires=at + self._expiry)
        change = self._letters.resent(delivery, at, renewed.expires, self._sealing.seal(renewed))
        self._record("resent", renewed, at, reason, change)

    def drop(self, delivery: UUID, reason: str) -> None:
        """It is not there any more, and was never delivered; raises as ``resend``."""
        notice = self._dead(delivery, reason)
        self._record("dropped", notice, self._clock.now(), reason, self._letters.dropped(delivery))

    def drop_unread(self, delivery: UUID, reason: str) -> None:
        """One that does not open is not there any more, and held up others of its child; dead or not.

        Raises as ``drop``; OutboxActError where it opens.
        """
        shown, content = self._found(delivery, reason)
        try:
            self._sealing.open(delivery, content)
        except KeystoreError as problem:
            if problem.key != SEALED_OTHERWISE:
                raise
        else:
            raise OutboxActError("outbox_opens", delivery=delivery)
        id_, at = self._randomness.uuid(), self._clock.now()
        letter = Unread(
            id_, delivery, shown.party, shown.accepted, shown.expires, at, self._policy_sha256, reason=reason
        )
        try:
            self._recorder.give_up(letter, (self._letters.dropped_unread(delivery, content),))
        except Refusal:  # the same
            raise OutboxActError("outbox_unknown", delivery=delivery) from None

    def check(self, reason: str) -> None:
        """Returns where this may be a reason; raises UnfitReasonError."""
        if not reason.strip():
            raise UnfitReasonError("outbox_reason_empty")
        if len(reason) > _LONGEST_REASON:
            raise UnfitReasonError("outbox_reason_long", most=_LONGEST_REASON, length=len(reason))
        if not reason.isprintable():
            raise UnfitReasonError("outbox_reason_unprintable")
        if self._unfit(reason):
            raise UnfitReasonError("outbox_reason_nirec")

    def _found(self, delivery: UUID, reason: str) -> tuple[Waiting, bytes]:
        self.check(reason)
        found = self._letters.one(delivery)
        if found is None:
            raise OutboxActError("outbox_unknown", delivery=delivery)
        return found

    def _dead(self, delivery: UUID, reason: str) -> Notice:
        shown, content = self._found(delivery, reason)
        notice = self._sealing.open(delivery, content)  # first: what does not open never dies by itself
        if shown.state != "dead":
            raise OutboxActError("outbox_not_dead", delivery=delivery)
        return notice

    def _record(self, outcome: Outcome, notice: Notice, at: datetime, reason: str, change: Change) -> None:
        done = Round(self._randomness.uuid(), notice, at, self._policy_sha256, outcome, reason=reason)
        try:
            self._recorder.record(done, (change,))
        except Refusal:  # somebody else decided meanwhile
            raise OutboxActError("outbox_not_dead", delivery=notice.delivery) from None
