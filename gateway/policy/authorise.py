"""Step 5: deny by default; an agreement must name the party, the operation, the purpose and the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal
from gateway.model import Allowance, Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.model import Claim
    from gateway.policy.bundle import Budget, Bundle


class Authoriser:
    """ports.Policy over one bundle."""

    def __init__(self, bundle: Bundle, sha256: str, halted: Callable[[], bool] = lambda: False) -> None:
        """``halted``: the log has been without a timestamp for longer than the policy allows (L8)."""
        self._halted = halted
        self._bundle = bundle
        self._sha256 = sha256

    def authorise(self, claim: Claim) -> Grant:
        """The grant; raises Refusal: not_agreed, purpose_not_agreed, agreement_not_in_force, timestamp_too_old."""
        message = claim.message
        request = message.request
        agreement = self._bundle.agreements.get(message.agreement)
        if agreement is None or agreement.party != request.party.name:
            raise Refusal(Code.NOT_AGREED, component="exchange-agreement")
        # An acknowledgement comes under the agreement of what it acknowledges, and discloses nothing (L12).
        if agreement.operation != message.operation.name and message.acknowledges is None:
            raise Refusal(Code.NOT_AGREED, component="exchange-agreement")
        at = request.received.at
        if not (agreement.validity.covers(at) and self._bundle.validity.covers(at)):
            raise Refusal(Code.AGREEMENT_NOT_IN_FORCE, component="exchange-agreement")
        if message.purpose not in agreement.purposes:
            raise Refusal(Code.PURPOSE_NOT_AGREED, component="exchange-purpose")
        if self._halted():
            raise Refusal(Code.TIMESTAMP_TOO_OLD)
        named = message.disclosable if message.acknowledges is not None else frozenset(agreement.fields)
        return Grant(
            message=message,
            agreement=message.agreement,
            purpose=message.purpose,
            fields=message.disclosable & named,
            tells_not_found=agreement.tells_not_found,
            policy_sha256=self._sha256,
            # an acknowledgement discloses nothing
            budget=None if message.acknowledges is not None else _allowance(agreement.budget, at),
        )


def _allowance(budget: Budget | None, at: datetime) -> Allowance | None:
    return None if budget is None else Allowance(budget.at(at), budget.window_hours)
