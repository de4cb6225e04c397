"""The ledger and the upstreams as the exchange knows them, with their meters running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal
from gateway.model import Claim, Grant, VerifiedRequest
from gateway.watch.meters import CUT_OFF, NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from gateway.change import Change
    from gateway.model import Answer, Received, Refused, Released, Reply
    from gateway.ports import Clock, Ledger, Upstream
    from gateway.watch.meters import Meters

_ANSWERED = "answered"


class MeteredLedger:
    """ports.Ledger: everything that leaves an exchange leaves through step 8, so here it is counted."""

    def __init__(self, ledger: Ledger, meters: Meters, clock: Clock) -> None:
        self._ledger = ledger
        self._meters = meters
        self._clock = clock

    def seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        """As the ledger does it."""
        began = self._clock.monotonic()
        released = self._ledger.seal(grant, reply, answer)
        message = grant.message
        self._count(released, message.request.received, message.request.party.name, message.operation.name, None, began)
        return released

    def intend(self, grant: Grant, changes: tuple[Change, ...]) -> None:
        """As the ledger does it; its exchange is counted when it ends."""
        self._ledger.intend(grant, changes)

    def seal_refusal(self, refused: Refused) -> Released:
        """As the ledger does it."""
        began = self._clock.monotonic()
        released = self._ledger.seal_refusal(refused)
        self._count_refusal(released, refused, began)
        return released

    def repeat_refusal(self, refused: Refused, recorded: UUID) -> Released:
        """As the ledger does it."""
        began = self._clock.monotonic()
        released = self._ledger.repeat_refusal(refused, recorded)
        self._count_refusal(released, refused, began)
        return released

    def not_recorded(self, refused: Refused) -> Released:
        """As the ledger does it."""
        began = self._clock.monotonic()
        released = self._ledger.not_recorded(refused)
        self._count_refusal(released, refused, began)
        return released

    def _count_refusal(self, released: Released, refused: Refused, began: float) -> None:
        operation = _operation(refused)
        self._count(released, refused.received, refused.party or NOBODY, operation, refused.refusal.code, began)

    def _count(
        self, released: Released, received: Received, party: str, operation: str, code: Code | None, began: float
    ) -> None:
        outcome = _ANSWERED if code is None else code.value
        if not released.recorded:
            outcome = Code.NOT_RECORDED.value
        # the wall clock, since a request carries no other; a clock set back must not give a negative time
        seconds = max(0.0, (self._clock.now() - received.at).total_seconds())
        self._meters.exchanged(party, operation, outcome, seconds=seconds, sealing=self._clock.monotonic() - began)


class MeteredUpstream:
    """ports.Upstream: how often, how long, with what outcome; and whether the circuit breaker lets calls through."""

    def __init__(
        self, name: str, upstream: Upstream, meters: Meters, clock: Clock, cut_off: Callable[[], bool] | None = None
    ) -> None:
        """``cut_off`` says whether the breaker refuses without trying."""
        self._name = name
        self._upstream = upstream
        self._meters = meters
        self._clock = clock
        if cut_off is not None:
            meters.probe((CUT_OFF, name), lambda: float(cut_off()))

    def call(self, grant: Grant) -> Reply:
        """As the upstream does it."""
        began = self._clock.monotonic()
        self._meters.asking(self._name)
        outcome = Code.INTERNAL.value
        try:
            reply = self._upstream.call(grant)
            outcome = _ANSWERED
        except Refusal as refusal:
            outcome = refusal.code.value
            raise
        finally:
            seconds, at = self._clock.monotonic() - began, self._clock.now().timestamp()
            self._meters.asked(self._name, outcome, seconds=seconds, at=at)
        return reply


def _operation(refused: Refused) -> str:
    match refused.proven:
        case Claim() as claim:
            return claim.message.operation.name
        case Grant() as grant:
            return grant.message.operation.name
        case VerifiedRequest() | None:
            return NOBODY
