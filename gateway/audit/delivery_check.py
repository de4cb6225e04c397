"""A delivery, held against the policy, the contract and the signatures of its time (decision 0033)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from contracts.loader import SALT
from gateway.audit.verdict import Fault, Problem
from gateway.errors import Code

if TYPE_CHECKING:
    from contracts.loader import Operation
    from gateway.audit.delivery_schema import Delivery
    from gateway.audit.objects import Objects
    from gateway.audit.opening import Opened
    from gateway.audit.policies import Policy, Timeline
    from gateway.audit.traces import Traces
    from gateway.audit.upstream_check import UpstreamCheck

_CLOCK_STEP = timedelta(seconds=60)
_LONGEST = timedelta(minutes=5)
_EXPIRED = "expired"
_CODES = frozenset({code.value for code in Code} | {_EXPIRED})
_BY_PERSON = frozenset({"resent", "dropped"})


class DeliveryCheck:
    """Checks the deliveries of one log, in its order."""

    def __init__(
        self,
        objects: Objects,
        policies: Timeline,
        upstream: UpstreamCheck,
        traces: Traces,
        *,
        contracts: frozenset[str] | None,
    ) -> None:
        """``contracts``: hex SHA-256 of those that evidence may name; None where the auditor brought none."""
        self._objects = objects
        self._policies = policies
        self._upstream = upstream
        self._traces = traces
        self._contracts = contracts

    def check(self, evidence: Delivery, opened: Opened) -> None:
        """Returns if every claim of this evidence that can be checked is true; raises Problem."""
        # 1  evidence is of this leaf, and answers nobody
        leaf = opened.leaf
        if evidence.exchange_id != str(leaf.exchange_id):
            raise Problem(Fault.EVIDENCE_DIFFERS, "the id is not the leaf's")
        if opened.record.answer_base or opened.record.answer_signature:
            raise Problem(Fault.EVIDENCE_DIFFERS, "a delivery with an answer")
        at = evidence.received_at
        if not at - _CLOCK_STEP <= leaf.time <= at + _LONGEST or evidence.accepted_at > at + _CLOCK_STEP:
            raise Problem(Fault.TIME_DIFFERS, "begun at another time than its leaf's, or before it was accepted")
        if evidence.notice is not None:  # else it was given up by a person, and nobody could open it
            self._traces.told(UUID(evidence.notice), evidence.subjects[0].ledger)
        # 2  the policy that it names was in force, or had been a moment ago
        policy = next((one for one in self._policies.possible(at) if one.sha256 == evidence.policy), None)
        if policy is None:
            raise Problem(Fault.POLICY_DIFFERS, "not the policy that was in force")
        # 3  we are the caller, and the addressee is a party
        parties, named = evidence.parties, policy.bundle.gateway
        addressee = policy.bundle.parties.get(parties.upstream or "")
        if (parties.caller, parties.gateway) != (named, named) or (evidence.told and addressee is None):
            raise Problem(Fault.POLICY_DIFFERS, "a party that the policy does not know")
        # 4  what was sent was allowed, and in time
        if evidence.told:
            self._check_told(evidence, policy)
            self._upstream.check(evidence, parties.upstream, policy, leaf.time)
        # 5  why it did not go out is a code of ours, or what a person said
        if evidence.reason is not None and evidence.outcome not in _BY_PERSON and evidence.reason not in _CODES:
            raise Problem(Fault.EVIDENCE_DIFFERS, "an unknown reason")
        if (evidence.reason == _EXPIRED) and at < evidence.expires_at:
            raise Problem(Fault.EVIDENCE_DIFFERS, "expired before its time")

    def _check_told(self, evidence: Delivery, policy: Policy) -> None:
        at, addressee = evidence.received_at, evidence.parties.upstream or ""
        if policy.bundle.parties[addressee].suspended:
            raise Problem(Fault.POLICY_DIFFERS, "a party that the policy had suspended")
        if at >= evidence.expires_at:
            raise Problem(Fault.TIME_DIFFERS, "delivered past its time")
        operation = self._operation(evidence)
        if not operation.outgoing or operation.upstream != addressee:
            raise Problem(Fault.CONTRACT_DIFFERS, "not an operation by which this party is told")
        agreement = policy.bundle.agreements.get(evidence.agreement or "")
        if agreement is None or (agreement.party, agreement.operation) != (addressee, evidence.operation):
            raise Problem(Fault.NOT_AGREED, Code.NOT_AGREED.value)
        if evidence.purpose not in agreement.purposes:
            raise Problem(Fault.NOT_AGREED, Code.PURPOSE_NOT_AGREED.value)
        if not (agreement.validity.covers(at) and policy.bundle.validity.covers(at)):
            raise Problem(Fault.AGREEMENT_NOT_IN_FORCE, Code.AGREEMENT_NOT_IN_FORCE.value)
        allowed = (operation.sensitivity("request").keys() - {SALT}) & frozenset(agreement.fields)
        if tuple(sorted(set(evidence.fields))) != evidence.fields or not set(evidence.fields) <= allowed:
            raise Problem(Fault.FIELDS_NOT_AGREED, "more fields than agreement and contract allow, or not sorted")

    def _operation(self, evidence: Delivery) -> Operation:
        named = evidence.contract
        if named is None:
            raise Problem(Fault.EVIDENCE_MALFORMED, "at contract")
        contract = self._objects.contract(named.sha256)
        if self._contracts is not None and named.sha256 not in self._contracts:
            raise Problem(Fault.CONTRACT_UNKNOWN, "a contract that is none of the auditor's")
        operation = contract.operations.get(evidence.operation or "")
        if operation is None or (contract.service, contract.version) != (named.service, named.version):
            raise Problem(Fault.CONTRACT_DIFFERS, "the contract has another name, or no such operation")
        return operation
