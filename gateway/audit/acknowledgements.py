"""Acknowledgements held against the exchanges that they are about: leaf, digest, handle, party, terms (DESIGN L12)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.audit.verdict import Dispute, Fault, Problem, Unproven
from gateway.ledger.encoding import canonical_json, encode64
from gateway.ledger.merkle import leaf_hash
from gateway.signing.base import parse_base
from gateway.signing.digest import digest_holds

if TYPE_CHECKING:
    from gateway.audit.evidence_schema import AcknowledgedPart, Exchange
    from gateway.audit.objects import Objects
    from gateway.audit.opening import Opened
    from gateway.audit.report import Report
    from gateway.ledger.leaf import Leaf


@dataclass(frozen=True, slots=True)
class _Answered:
    """What an acknowledgement of this exchange must repeat, and under which terms it must come.

    ``terms`` is None where the evidence stays sealed, or is none: then the leaf alone is known.
    """

    ledger_leaf: str
    terms: tuple[str, str, str, str, str | None] | None


@dataclass(frozen=True, slots=True)
class _Claim:
    """An acknowledgement whose exchange had not come yet, and where it stands."""

    evidence: Exchange
    said: AcknowledgedPart
    file: str
    index: int


#: What the caller alone answers for: the gateway has these sealed, and cannot compare them at the time of the call.
_DISPUTABLE = ("agreement", "purpose", "answer_digest", "handle")


class Acknowledgements:
    """All of one log; an acknowledgement may stand before its exchange, since tree order is not that of time."""

    def __init__(self, report: Report, objects: Objects) -> None:
        self._report = report
        self._objects = objects
        self._answered: dict[str, _Answered] = {}
        self._acknowledged: set[str] = set()
        self._waiting: list[_Claim] = []
        self._due: dict[str, str] = {}

    def leaf(self, leaf: Leaf, packed: bytes) -> None:
        """Takes an exchange of which nothing is known yet but its leaf, and perhaps never will be."""
        if leaf.kind == "exchange":
            self._answered[str(leaf.exchange_id)] = _Answered(encode64(leaf_hash(packed)), None)

    def take(self, evidence: Exchange, opened: Opened, file: str, index: int) -> None:
        """Takes an exchange, or a refusal, which nobody acknowledges."""
        if evidence.kind != "exchange":
            return
        with suppress(Problem):  # what is wrong with its contract is another check's finding
            handle = disclosed_handle(evidence, self._objects)
            caller, digest = evidence.parties.caller, evidence.answer.content_digest
            terms = (caller, evidence.agreement, evidence.purpose, digest, handle)
            self._answered[evidence.exchange_id] = _Answered(encode64(leaf_hash(opened.packed)), terms)
        if evidence.acknowledges is not None:
            self._waiting.append(_Claim(evidence, evidence.acknowledges, file, index))
        else:
            self._due[evidence.exchange_id] = evidence.parties.caller

    def finish(self) -> None:
        """Judges every acknowledgement once all exchanges are read, and counts what is acknowledged and what is not."""
        for claim in self._waiting:
            try:
                self._check(claim)
            except Problem as problem:
                self._report.problem(
                    problem, file=claim.file, index=claim.index, exchange_id=claim.evidence.exchange_id
                )
        for exchange_id, party in self._due.items():
            self._report.acknowledged(party, done=exchange_id in self._acknowledged)
        if self._due.keys() - self._acknowledged:
            self._report.unproven.add(Unproven.ANSWERS_UNACKNOWLEDGED)

    def _check(self, claim: _Claim) -> None:
        evidence, said = claim.evidence, claim.said
        found = self._answered.get(said.exchange_id)
        if found is None:
            raise Problem(Fault.ACKNOWLEDGEMENT_UNFOUNDED, "acknowledges an exchange that is not in the log")
        if found.ledger_leaf != said.ledger_leaf:
            raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "leaf")
        if found.terms is None:
            return
        party, *recorded = found.terms
        if party != evidence.parties.caller:
            raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "party")
        given = (evidence.agreement, evidence.purpose, said.answer_digest, said.handle)
        pairs = zip(_DISPUTABLE, recorded, given, strict=True)
        # a caller can sign what it likes: that must not make the log of everybody else fail
        if terms := tuple(name for name, wanted, got in pairs if wanted != got):
            self._report.dispute(Dispute(party, said.exchange_id, evidence.exchange_id, claim.index, terms))
            return
        self._acknowledged.add(said.exchange_id)


def handle_field(evidence: Exchange, objects: Objects) -> str | None:
    """The answer's field that holds a subject's handle, by the contract; raises Problem (object_missing ...)."""
    operation = objects.contract(evidence.contract.sha256).operations.get(evidence.operation)
    return None if operation is None or operation.reduction is None else operation.reduction.handle


def disclosed_handle(evidence: Exchange, objects: Objects) -> str | None:
    """The handle that stood in this exchange's answer, or None; raises Problem."""
    given = evidence.subjects and handle_field(evidence, objects) in evidence.fields
    return evidence.subjects[0].handle if given else None


def check_signed(evidence: Exchange, said: AcknowledgedPart) -> None:
    """Returns if the caller's signed request is this acknowledgement: its digest is that of the body built again.

    The request's own check came before: its base can be read. Raises Problem (acknowledgement_differs).
    """
    body = canonical_json(said.model_dump(exclude={"exchange_id"}))
    digest = evidence.request.content_digest
    values, _ = parse_base(evidence.request.base.encode("ascii"))
    if digest is None or not digest_holds(digest, body):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "not what the caller signed")
    if not values['"@target-uri"'].endswith(f"/v1/exchanges/{said.exchange_id}/acknowledgement"):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "signed for another exchange")
