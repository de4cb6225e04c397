"""Who takes notices, and by which agreement each may be told of what: between the policy, the contracts and delivery.

What lives here: step 5 of a delivery. What may not: the outbox, the sending.
"""

from __future__ import annotations

import math
from datetime import UTC
from typing import TYPE_CHECKING

from contracts.declaration import SALT
from gateway.errors import Code, ConfigurationError, Refusal
from gateway.model import OperationRef
from gateway.notices import Telling, ToldMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from contracts.declaration import Contract
    from gateway.notices import Notice
    from gateway.policy.bundle import Agreement
    from gateway.policy.judge import InForce
    from gateway.settings import Settings


def offered(contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """The contracts as callers meet them: without what only we tell others by."""
    kept = ((one, {name: each for name, each in one.operations.items() if not each.outgoing}) for one in contracts)
    return tuple(
        one if len(operations) == len(one.operations) else one.model_copy(update={"operations": operations})
        for one, operations in kept
        if operations
    )


def takers(contracts: Iterable[Contract]) -> dict[str, tuple[OperationRef, frozenset[str]]]:
    """Each party that takes notices: by which operation, and the fields that it can be told.

    Raises ConfigurationError where a party has two such operations.
    """
    found: dict[str, tuple[OperationRef, frozenset[str]]] = {}
    for contract in contracts:
        for name, one in contract.operations.items():
            if not one.outgoing:
                continue
            if one.upstream in found:
                detail = f"{contract.service}: {one.upstream} takes notices by another operation already"
                raise ConfigurationError("contract_invalid", detail=detail)
            named = OperationRef(name, contract.service, contract.version, contract.sha256)
            found[one.upstream] = named, frozenset(one.sensitivity("request")) - {SALT}
    return found


def check_leases(contracts: Iterable[Contract], settings: Settings) -> None:
    """A notice stays its dispatcher's for a round, half of its lease, once it was waited for in the other half.

    Raises ConfigurationError where an addressee may take longer to answer.
    """
    lease = settings.deliveries.lease_seconds
    for party in sorted(takers(contracts).keys() & settings.upstreams.keys()):
        least = math.ceil(2 * settings.upstreams[party].deadline_seconds)
        if lease < least:
            raise ConfigurationError("lease_too_short", party=party, lease=lease, least=least)


class Addressees:
    """delivery.delivering.Policy and delivery.accepting.Deliverable, under whichever policy is in force."""

    def __init__(self, contracts: Iterable[Contract], in_force: Callable[[], InForce]) -> None:
        """Raises ConfigurationError as ``takers`` does."""
        self._takers: Mapping[str, tuple[OperationRef, frozenset[str]]] = takers(contracts)
        self._in_force = in_force

    def __call__(self, addressee: str, at: datetime) -> bool:
        """Whether it takes notices, and an agreement in force lets it have them."""
        try:
            self._agreement(addressee, at)
        except Refusal:
            return False
        return True

    def sha256(self) -> str:
        """Hex digest of the bundle in force."""
        return self._in_force().sha256

    def telling(self, notice: Notice, at: datetime) -> Telling:
        """What the addressee may be told now.

        Raises Refusal: party_suspended, whose notices wait; not_deliverable, not_agreed, agreement_not_in_force.
        """
        word, agreement = self._agreement(notice.addressee, at)
        operation, known = self._takers[notice.addressee]
        told = {
            **notice.fields,
            "handle": notice.subject.handle,
            "delivery": str(notice.delivery),
            "expires": notice.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        fields = {name: value for name, value in told.items() if name in known and name in agreement.fields}
        return Telling(ToldMessage(operation, fields), word, agreement.purposes[0], self.sha256())

    def _agreement(self, addressee: str, at: datetime) -> tuple[str, Agreement]:
        bundle = self._in_force().bundle
        party, taken = bundle.parties.get(addressee), self._takers.get(addressee)
        if taken is None or party is None:
            raise Refusal(Code.NOT_DELIVERABLE, component="addressee")
        if party.suspended:
            raise Refusal(Code.PARTY_SUSPENDED, component="addressee")
        operation, _ = taken
        theirs = [
            (word, one)
            for word, one in bundle.agreements.items()
            if one.party == addressee and one.operation == operation.name
        ]
        if not theirs:
            raise Refusal(Code.NOT_AGREED, component="addressee")
        for word, one in theirs:
            if one.validity.covers(at) and bundle.validity.covers(at):
                return word, one
        raise Refusal(Code.AGREEMENT_NOT_IN_FORCE, component="addressee")
