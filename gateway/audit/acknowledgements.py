"""Acknowledgements held against the exchanges that they are about: leaf, digest, handle, party, terms (DESIGN L12).

An acknowledgement may stand before its exchange, and far from it: both leave a row, and rows of one exchange meet when
all are sorted.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from gateway.audit.evidence_schema import SoapRequestPart
from gateway.audit.soap_acknowledgement import check_signed_body
from gateway.audit.spill import sorted_rows
from gateway.audit.verdict import Dispute, Fault, Problem
from gateway.ledger.encoding import canonical_json, decode64
from gateway.ledger.merkle import leaf_hash
from gateway.signing.base import parse_base
from gateway.signing.digest import digest_holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.loader import Contract
    from gateway.audit.evidence_schema import AcknowledgedPart, Exchange
    from gateway.audit.objects import Objects
    from gateway.audit.soap_request import AskedBySoap

# digest of the exchange id, the id, what the row is, index and hash of its leaf, caller, four terms, its own id
_ROW = Struct(">16s16sBQ32s63s16s16s16s16s16s")
ROW_SIZE = _ROW.size
_LEAF_ONLY, _ANSWERED, _DUE, _CLAIM = range(4)
#: What the caller alone answers for: the gateway has these sealed, and cannot compare them at the time of the call.
_DISPUTABLE = ("agreement", "purpose", "answer_digest", "handle")
_NOTHING = bytes(16)


class _Row(NamedTuple):
    """One row; of an exchange, or (_CLAIM) of an acknowledgement that is about it.

    ``what`` is _LEAF_ONLY where the evidence stays sealed, or is none; _DUE for an answer that is to be acknowledged;
    _ANSWERED for one that is not, since it is an acknowledgement itself.
    """

    digest: bytes
    exchange_id: bytes
    what: int
    place: int
    leaf: bytes
    caller: bytes
    agreement: bytes
    purpose: bytes
    answer_digest: bytes
    handle: bytes
    own: bytes

    @property
    def party(self) -> str:
        return self.caller.rstrip(b"\x00").decode()

    @property
    def terms(self) -> tuple[bytes, bytes, bytes, bytes]:
        return self[6:10]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An acknowledgement, the leaf of this index, that is of no answer of the log."""

    index: int
    exchange_id: str
    fault: Fault
    detail: str


@dataclass(slots=True)
class Acknowledged:
    """What the rows of some exchanges gave; ``done`` and ``due`` count answers by party."""

    mismatches: list[Mismatch] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    due: Counter[str] = field(default_factory=Counter)


def leaf_row(index: int, exchange_id: UUID, packed: bytes) -> bytes:
    """An exchange of which nothing is known but its leaf."""
    return _row(_LEAF_ONLY, index, exchange_id, leaf_hash(packed))


def answer_rows(index: int, evidence: Exchange, packed: bytes, objects: Objects) -> bytes:
    """An exchange whose evidence is open, and what it acknowledges, if anything."""
    caller, own = evidence.parties.caller, UUID(evidence.exchange_id)
    said = evidence.acknowledges
    what = _DUE if said is None else _ANSWERED
    terms = None
    with suppress(Problem):  # what is wrong with its contract is another check's finding
        handle = disclosed_handle(evidence, objects)
        terms = (evidence.agreement, evidence.purpose, evidence.answer.content_digest, handle)
    rows = _row(what, index, own, leaf_hash(packed), caller, terms)
    if said is not None:
        terms = (evidence.agreement, evidence.purpose, said.answer_digest, said.handle)
        rows += _row(_CLAIM, index, UUID(said.exchange_id), decode64(said.ledger_leaf), caller, terms, own.bytes)
    return rows


def judge_acknowledgements(rows: bytes) -> Acknowledged:
    """Every acknowledgement among these rows, once all rows of its exchange are there."""
    judged = Acknowledged()
    everything = (_Row(*_ROW.unpack(row)) for row in sorted_rows(rows, ROW_SIZE))
    for _, group in groupby(everything, key=lambda row: row.exchange_id):
        _judge(group, judged)
    return judged


def _judge(rows: Iterator[_Row], judged: Acknowledged) -> None:
    answer, claims = None, []
    for row in rows:
        if row.what == _CLAIM:
            claims.append(row)
        else:
            answer = row
    good = False
    for claim in claims:
        try:
            good |= _holds(claim, answer, judged)
        except Problem as problem:
            judged.mismatches.append(Mismatch(claim.place, str(UUID(bytes=claim.own)), problem.fault, problem.detail))
    if answer is not None and answer.what == _DUE:
        (judged.done if good else judged.due)[answer.party] += 1


def _holds(claim: _Row, answer: _Row | None, judged: Acknowledged) -> bool:
    if answer is None:
        raise Problem(Fault.ACKNOWLEDGEMENT_UNFOUNDED, "acknowledges an exchange that is not in the log")
    if claim.leaf != answer.leaf:
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "leaf")
    if answer.what == _LEAF_ONLY or answer.agreement == _NOTHING:
        return False
    if claim.caller != answer.caller:
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "party")
    pairs = zip(_DISPUTABLE, answer.terms, claim.terms, strict=True)
    # a caller can sign what it likes: that must not make the log of everybody else fail
    if terms := tuple(name for name, recorded, given in pairs if recorded != given):
        ids = str(UUID(bytes=claim.exchange_id)), str(UUID(bytes=claim.own))
        judged.disputes.append(Dispute(claim.party, *ids, claim.place, terms))
        return False
    return True


def _row(
    what: int,
    index: int,
    exchange_id: UUID,
    leaf: bytes,
    caller: str = "",
    terms: tuple[str | None, ...] | None = None,
    own: bytes = _NOTHING,
) -> bytes:
    digests = (_NOTHING,) * len(_DISPUTABLE) if terms is None else map(_digest, terms)
    digest = sha256(exchange_id.bytes).digest()[:16]
    return _ROW.pack(digest, exchange_id.bytes, what, index, leaf, caller.encode(), *digests, own)


def _digest(term: str | None) -> bytes:
    return sha256(b"" if term is None else b"\x01" + term.encode()).digest()[:16]


def handle_field(evidence: Exchange, objects: Objects) -> str | None:
    """The answer's one field that holds a subject's handle, by the contract; raises Problem (object_missing ...).

    None where the contract has none, or a list of them.
    """
    operation = objects.contract(evidence.contract.sha256).operations.get(evidence.operation)
    rule = None if operation is None else operation.reduction
    return None if rule is None or rule.listed is not None else rule.handle


def disclosed_handle(evidence: Exchange, objects: Objects) -> str | None:
    """The handle that stood in this exchange's answer, or None; raises Problem."""
    given = evidence.subjects and handle_field(evidence, objects) in evidence.fields
    return evidence.subjects[0].handle if given else None


def check_signed(evidence: Exchange, said: AcknowledgedPart, contract: Contract, asked: AskedBySoap | None) -> None:
    """Returns if the caller's signed request is this acknowledgement: its digest is that of the body built again.

    The request's own check came before, and gave ``asked`` where it came by SOAP; ``contract`` has the operation.
    Raises Problem (acknowledgement_differs).
    """
    request = evidence.request
    if asked is not None or isinstance(request, SoapRequestPart):
        check_signed_body(evidence.operation, said, contract, asked)
        return
    if said.body is not None:
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "evidence of a request by REST keeps no body")
    body = canonical_json(said.model_dump(exclude={"exchange_id", "body"}))
    values, _ = parse_base(request.base.encode("ascii"))
    if request.content_digest is None or not digest_holds(request.content_digest, body):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "not what the caller signed")
    if not values['"@target-uri"'].endswith(f"/v1/exchanges/{said.exchange_id}/acknowledgement"):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "signed for another exchange")
