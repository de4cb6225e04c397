"""Evidence of one exchange or refusal, held against policy, contract, certificates and signatures of its time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from contracts.loader import SALT
from gateway.audit.acknowledgements import check_signed
from gateway.audit.answer_check import check_answer
from gateway.audit.apart import Apart
from gateway.audit.delivery_check import DeliveryCheck
from gateway.audit.effects import check_effect
from gateway.audit.evidence_schema import Exchange
from gateway.audit.policies import under_one_of
from gateway.audit.request_check import check_request
from gateway.audit.subjects import SUBJECT_REFUSALS, check_subjects
from gateway.audit.traces import Traces
from gateway.audit.upstream_check import UpstreamCheck
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.loader import Contract, Operation
    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import EarlyRefusal
    from gateway.audit.objects import Objects
    from gateway.audit.opening import Opened
    from gateway.audit.policies import Policy, Timeline
    from gateway.audit.soap_request import AskedBySoap
    from gateway.ledger.leaf import Leaf

#: The upstreams that are no party: an echo, our own subjects, batches and families' notes, the ledger, which
#: acknowledgements are held against, and the outbox, out of which others are told later.
_OURSELVES = frozenset({"loopback", "ledger", "subjects", "batches", "family", "delivery"})
RELEASED = "released"
_OK = range(200, 300)
_LEAST_ERROR = 400
_CLOCK_STEP = timedelta(seconds=60)
_LONGEST = timedelta(minutes=5)
#: What step 5 alone can say, and steps 6 and 7: only of a request whose salt was claimed.
_BY_POLICY = frozenset({Code.NOT_AGREED, Code.PURPOSE_NOT_AGREED, Code.AGREEMENT_NOT_IN_FORCE})
_BY_UPSTREAM = frozenset(
    {Code.UPSTREAM_UNAVAILABLE, Code.UPSTREAM_TIMEOUT, Code.UPSTREAM_UNTRUSTED, Code.UPSTREAM_MALFORMED}
)
_BY_HALT = frozenset({Code.TIMESTAMP_TOO_OLD})
_BY_LEDGER = frozenset({Code.EXCHANGE_UNKNOWN, Code.ACKNOWLEDGEMENT_DIFFERS})
_BY_BUDGET = frozenset({Code.BUDGET_SPENT})
_BY_KEY = frozenset({Code.IDEMPOTENCY_CONFLICT})
_BY_BATCH = frozenset(
    {Code.BATCH_UNKNOWN, Code.LINE_UNKNOWN, Code.LINE_ANSWERED, Code.LINE_IN_HAND, Code.LINE_DIFFERS,
     Code.BATCH_TOO_FAST}
)  # fmt: skip
_BY_ROOMS = _BY_KEY | _BY_BUDGET | _BY_BATCH | _BY_LEDGER
_LATE = _BY_POLICY | _BY_HALT | _BY_ROOMS | _BY_UPSTREAM | SUBJECT_REFUSALS | {Code.INTERNAL}
#: These answers have no leaf of their own.
_NEVER_RECORDED = frozenset({Code.NOT_RECORDED, Code.RECEIPT_UNKNOWN})


class ExchangeCheck:
    """Checks the exchanges and refusals of one log, in its order."""

    def __init__(
        self,
        objects: Objects,
        certificates: Certificates,
        policies: Timeline,
        traces: Traces | None = None,
        *,
        contracts: frozenset[str] | None,
        apart: Mapping[str, bytes],
    ) -> None:
        """``traces``: where it leaves what the rest of the log must be held against; None for an exchange alone.

        ``contracts``: hex SHA-256 of those that evidence may name; None where the auditor brought none.
        ``apart``: officers' raw private keys by the hex SHA-256 of their public side (C5).
        """
        self._objects = objects
        self._certificates = certificates
        self._policies = policies
        self._traces = traces or Traces()
        self._contracts = contracts
        self._apart = Apart(certificates, apart)
        self._upstream = UpstreamCheck(objects, certificates, self._traces, self._apart)
        #: The same for what we tell others of our own accord.
        self.deliveries = DeliveryCheck(objects, policies, self._upstream, self._traces, contracts=contracts)

    @property
    def unproven(self) -> frozenset[Unproven]:
        """What it takes from the gateway: by a contract of its own it could say that nobody had to be asked."""
        return frozenset({Unproven.CONTRACTS_ASSERTED} if self._contracts is None else ())

    @property
    def unopened(self) -> frozenset[Unproven]:
        """What of the evidence checked so far is sealed to officers alone."""
        return frozenset({Unproven.UPSTREAM_SEALED_APART} if self._apart.unopened else ())

    def check(self, evidence: Exchange | EarlyRefusal, opened: Opened) -> None:
        """Returns if every claim of this evidence that can be checked is true; raises Problem."""
        # 1  evidence is of this leaf
        leaf = opened.leaf
        if (evidence.kind, evidence.exchange_id) != (leaf.kind, str(leaf.exchange_id)):
            raise Problem(Fault.EVIDENCE_DIFFERS, "kind or exchange id are not the leaf's")
        if not evidence.received_at - _CLOCK_STEP <= leaf.time <= evidence.received_at + _LONGEST:
            raise Problem(Fault.TIME_DIFFERS, "received at another time than its leaf's")
        policies = self._policies.possible(evidence.received_at)
        if isinstance(evidence, Exchange):
            # 2  the policy that it names was in force, or had been a moment ago
            policy = next((item for item in policies if item.sha256 == evidence.policy), None)
            if policy is None:
                raise Problem(Fault.POLICY_DIFFERS, "not the policy that was in force")
            asked = self._whole(evidence, leaf, policy)
            # 8  the answer is the receipt
            check_answer(evidence, opened, policy, self._certificates, asked)
        else:
            under_one_of(policies, lambda policy: self._early(evidence, opened, policy))

    def _early(self, evidence: EarlyRefusal, opened: Opened, policy: Policy) -> None:
        _check_early(evidence, policy)
        check_answer(evidence, opened, policy, self._certificates)

    def _whole(self, evidence: Exchange, leaf: Leaf, policy: Policy) -> AskedBySoap | None:
        # 3  the parties are those of the policy
        caller = policy.bundle.parties.get(evidence.parties.caller)
        if evidence.parties.gateway != policy.bundle.gateway or caller is None or caller.suspended:
            raise Problem(Fault.POLICY_DIFFERS, "a party that the policy does not know, or had suspended")
        # 4  the contract that evidence names has this operation
        contract = self._contract(evidence)
        operation = contract.operations[evidence.operation]
        if operation.acknowledges != (evidence.acknowledges is not None):
            raise Problem(Fault.CONTRACT_DIFFERS, "acknowledges where the contract does not, or the reverse")
        if evidence.outcome in _BY_LEDGER and not operation.acknowledges:
            raise Problem(Fault.EVIDENCE_DIFFERS, "refused as an acknowledgement, and is none")
        if evidence.outcome in _BY_BATCH and evidence.outcome not in operation.errors:
            raise Problem(Fault.EVIDENCE_DIFFERS, "refused as a batch's, and is of none")
        # 5  the agreement allowed what was released, or rightly did not
        _check_outcome(evidence, policy)
        _check_disclosure(evidence, operation, policy)
        check_subjects(evidence, operation, self._traces)
        self._traces.spent(evidence, operation, policy)
        # 6  the caller asked for it, once
        asked = check_request(evidence, contract, policy, self._certificates, self._traces)
        # 7  the upstream was asked, and answered
        upstream = None if operation.upstream in _OURSELVES else operation.upstream
        self._upstream.check(evidence, upstream, policy, leaf.time)
        # and what it was to do, it did once
        check_effect(evidence, operation, outside=upstream is not None)
        if upstream is not None:
            self._traces.effect(evidence, operation)
        # and what it acknowledges is what the caller signed
        if evidence.acknowledges is not None:
            check_signed(evidence, evidence.acknowledges, contract, asked)
        return asked

    def _contract(self, evidence: Exchange) -> Contract:
        contract = self._objects.contract(evidence.contract.sha256)
        if self._contracts is not None and evidence.contract.sha256 not in self._contracts:
            raise Problem(Fault.CONTRACT_UNKNOWN, "a contract that is none of the auditor's")
        operation = contract.operations.get(evidence.operation)
        named = (contract.service, contract.version)
        if operation is None or named != (evidence.contract.service, evidence.contract.version):
            raise Problem(Fault.CONTRACT_DIFFERS, "the contract has another name, or no such operation")
        return contract


def authorisation(evidence: Exchange, policy: Policy) -> Code | None:
    """What step 5 had to say of this request under this policy; None where it had to be granted (P3)."""
    agreement = policy.bundle.agreements.get(evidence.agreement)
    if agreement is None or agreement.party != evidence.parties.caller:
        return Code.NOT_AGREED
    # an acknowledgement comes under the agreement of what it acknowledges (L12)
    if agreement.operation != evidence.operation and evidence.acknowledges is None:
        return Code.NOT_AGREED
    at = evidence.received_at
    if not (agreement.validity.covers(at) and policy.bundle.validity.covers(at)):
        return Code.AGREEMENT_NOT_IN_FORCE
    return None if evidence.purpose in agreement.purposes else Code.PURPOSE_NOT_AGREED


def _check_outcome(evidence: Exchange, policy: Policy) -> None:
    due = authorisation(evidence, policy)
    if evidence.kind == "exchange":
        if evidence.outcome != RELEASED or evidence.answer.status not in _OK:
            raise Problem(Fault.EVIDENCE_DIFFERS, "an exchange that was not released")
        if due is not None:
            out_of_date = due is Code.AGREEMENT_NOT_IN_FORCE
            raise Problem(Fault.AGREEMENT_NOT_IN_FORCE if out_of_date else Fault.NOT_AGREED, due.value)
        return
    if evidence.outcome not in _LATE or evidence.answer.status < _LEAST_ERROR:
        raise Problem(Fault.EVIDENCE_DIFFERS, "a refusal whose code is none of those after the salt's claim")
    asked_policy = evidence.outcome != Code.INTERNAL or evidence.upstream
    if asked_policy and due != (evidence.outcome if evidence.outcome in _BY_POLICY else None):
        raise Problem(Fault.REFUSAL_UNFOUNDED, "the policy says something else of this request")
    stamps = policy.bundle.timestamping
    if evidence.outcome in _BY_HALT and (stamps is None or stamps.halt_after_minutes is None):
        raise Problem(Fault.REFUSAL_UNFOUNDED, "the policy never halts")
    if evidence.outcome in _BY_BUDGET and policy.bundle.agreements[evidence.agreement].budget is None:
        raise Problem(Fault.REFUSAL_UNFOUNDED, "the agreement has no budget")
    if evidence.outcome in _BY_BUDGET and evidence.upstream:
        raise Problem(Fault.EVIDENCE_DIFFERS, "asked after the budget was found spent")


def _check_disclosure(evidence: Exchange, operation: Operation, policy: Policy) -> None:
    if evidence.kind == "refusal":
        if evidence.fields or evidence.subjects:
            raise Problem(Fault.FIELDS_NOT_AGREED, "a refusal that disclosed")
        return
    answer = operation.sensitivity("response").keys() - {SALT}
    agreed = frozenset(policy.bundle.agreements[evidence.agreement].fields)
    allowed = answer if evidence.acknowledges is not None else answer & agreed
    fields = frozenset(evidence.fields)
    if tuple(sorted(fields)) != evidence.fields:
        raise Problem(Fault.EVIDENCE_MALFORMED, "the fields are not sorted, or repeated")
    if not fields <= allowed:
        raise Problem(Fault.FIELDS_NOT_AGREED, "more fields than agreement and contract allow")
    rule = operation.reduction
    if evidence.subjects and rule is None:
        raise Problem(Fault.FIELDS_NOT_AGREED, "more subjects than the operation discloses")
    if rule is not None and rule.listed is not None:
        if evidence.subjects and rule.listed not in fields:
            raise Problem(Fault.FIELDS_NOT_AGREED, "subjects of a list that was not given")
        return
    if rule is not None and (rule.handle in fields) != bool(evidence.subjects and rule.handle in allowed):
        raise Problem(Fault.FIELDS_NOT_AGREED, "a handle without its subject, or the reverse")


def _check_early(evidence: EarlyRefusal, policy: Policy) -> None:
    late = (_LATE - {Code.INTERNAL}) | _NEVER_RECORDED
    if evidence.reason in late or evidence.answer.status < _LEAST_ERROR:
        raise Problem(Fault.EVIDENCE_DIFFERS, "a code that has no refusal before the salt's claim")
    if evidence.party is not None and evidence.party not in policy.bundle.parties:
        raise Problem(Fault.POLICY_DIFFERS, "a party that the policy does not know")
