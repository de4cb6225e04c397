"""Leaves of kind intent: what another system was about to be asked for, or an operator's word on what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Tag

from gateway.audit.effects import intent_row, settlement_row
from gateway.audit.evidence_schema import (
    ContractPart,
    EffectPart,
    Evidence,
    Hex,
    Id,
    PartiesPart,
    RequestPart,
    SoapRequestPart,
    Time,
    Word,
    read_evidence,
    request_form,
)
from gateway.audit.request_check import check_request
from gateway.audit.traces import Traces
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError, parse_canonical_json

if TYPE_CHECKING:
    from gateway.audit.certificates import Certificates
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Timeline
    from gateway.ledger.leaf import Leaf

_CLOCK_STEP = timedelta(seconds=60)
_LONGEST = timedelta(minutes=5)


class Intent(Evidence):
    """Another system was about to be asked for an effect, by this caller's signed request."""

    kind: Literal["intent"]
    exchange_id: Id
    received_at: Time
    operation: Word
    contract: ContractPart
    agreement: Word
    purpose: Word
    policy: Hex
    parties: PartiesPart
    request: Annotated[
        Annotated[RequestPart, Tag("rest")] | Annotated[SoapRequestPart, Tag("soap")], Discriminator(request_form)
    ]
    effect: EffectPart


class Settlement(Evidence):
    """An operator says what became of an intent, and how that is known."""

    kind: Literal["intent"]
    settles: Id
    effect: EffectPart
    outcome: Literal["done", "not_done"]
    reason: Literal["told_by_other_party", "seen_in_their_system", "withdrawn_by_caller"]


class IntentCheck:
    """Checks the intents of one log, in its order."""

    def __init__(self, objects: Objects, certificates: Certificates, policies: Timeline) -> None:
        self._objects = objects
        self._certificates = certificates
        self._policies = policies

    def check(self, index: int, leaf: Leaf, evidence: bytes) -> bytes:
        """The row of this leaf (effects.py), if what it says can be true; raises Problem."""
        said = _read(evidence)
        if isinstance(said, Settlement):
            if said.effect.before is not None or said.effect.after is not None:
                raise Problem(Fault.EVIDENCE_MALFORMED, "at effect")
            return settlement_row(index, said)
        if said.exchange_id != str(leaf.exchange_id):
            raise Problem(Fault.EVIDENCE_DIFFERS, "exchange id is not the leaf's")
        if not said.received_at - _CLOCK_STEP <= leaf.time <= said.received_at + _LONGEST:
            raise Problem(Fault.TIME_DIFFERS, "received at another time than its leaf's")
        policy = next((one for one in self._policies.possible(said.received_at) if one.sha256 == said.policy), None)
        if policy is None or said.parties.gateway != policy.bundle.gateway:
            raise Problem(Fault.POLICY_DIFFERS, "not the policy that was in force")
        contract = self._objects.contract(said.contract.sha256)
        operation = contract.operations.get(said.operation)
        if operation is None or operation.idempotent or operation.upstream != said.parties.upstream:
            raise Problem(Fault.CONTRACT_DIFFERS, "an intent of an operation that has no effect there")
        # its nonce stands in the exchange's evidence too, and is counted there
        check_request(said, contract, policy, self._certificates, Traces())
        return intent_row(index, said)


def _read(evidence: bytes) -> Intent | Settlement:
    try:
        settles = "settles" in parse_canonical_json(evidence)
    except FormatError as error:
        raise Problem(Fault.EVIDENCE_MALFORMED, str(error)) from None
    return read_evidence(evidence, Settlement) if settles else read_evidence(evidence, Intent)
