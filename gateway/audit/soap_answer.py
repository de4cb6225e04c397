"""A SOAP answer as the record keeps it: signed by the gateway over Body, leaf and request (S3, S4)."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations when the models are built
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.audit.evidence_schema import Bytes, EarlyRefusal
from gateway.audit.soap_blocks import MESSAGE_ID_FORM, as_content_digest, signed_facts, span
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError, encode64, parse_canonical_json
from gateway.ledger.merkle import leaf_hash
from gateway.signing.soap_names import (
    ACTION,
    CONFIRMATION,
    EXCHANGE_ID,
    FAULT_ACTION,
    LEDGER_BY,
    LEDGER_LEAF,
    MESSAGE_ID,
    RELATES_TO,
    TIMESTAMP,
)

if TYPE_CHECKING:
    from gateway.audit.evidence_schema import Exchange
    from gateway.audit.opening import Opened
    from gateway.audit.soap_request import AskedBySoap
    from gateway.signing.soap_facts import SignedPartFacts

_ALWAYS = frozenset({TIMESTAMP, ACTION, MESSAGE_ID, EXCHANGE_ID, LEDGER_LEAF, LEDGER_BY})
_FAULTS = (Fault.ANSWER_MALFORMED, Fault.ANSWER_SIGNATURE_INVALID)


class SoapBase(BaseModel):
    """What a record keeps of a SOAP answer beside its signature: both in their canonical form."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    signed_info: Bytes
    headers: Mapping[str, Bytes]


def is_soap_base(answer_base: bytes) -> bool:
    """Whether a record's answer base is a SOAP answer's: JSON, which no RFC 9421 base begins like."""
    return answer_base.startswith(b"{")


def read_soap_base(answer_base: bytes) -> SoapBase:
    """The record's answer base; raises Problem (answer_malformed) for any bytes but its one form."""
    try:
        parse_canonical_json(answer_base)
        return SoapBase.model_validate_json(answer_base)
    except (FormatError, ValidationError):
        raise Problem(Fault.ANSWER_MALFORMED, "not SignedInfo and header blocks in their one form") from None


def check_soap_answer(
    evidence: Exchange | EarlyRefusal, opened: Opened, asked: AskedBySoap | None, certificate: bytes
) -> tuple[float, str]:
    """When the gateway signed this answer to this request, at this leaf (seconds since 1970), and its Ledger-By.

    ``asked`` is None where C6 lets the answer name nothing of its request but the MessageID; ``certificate`` is DER.
    Raises Problem.
    """
    base = read_soap_base(opened.record.answer_base)
    facts = signed_facts(base.signed_info, opened.record.answer_signature, base.headers, certificate, _FAULTS)
    # 1  it covers what it must, and nothing else
    due = _ALWAYS | _bound(facts, asked)
    if facts.parts != due:
        raise Problem(Fault.ANSWER_NOT_COVERED, min(facts.parts ^ due).rpartition("}")[2])
    # 2  it is the answer that evidence tells of, and names its leaf
    released = evidence.kind == "exchange"
    expected: dict[str, tuple[object, object]] = {
        "Body": (as_content_digest(facts.body_digest), evidence.answer.content_digest),
        "Exchange-Id": (facts.own.get("Exchange-Id"), evidence.exchange_id),
        "Ledger-Leaf": (facts.own.get("Ledger-Leaf"), encode64(leaf_hash(opened.packed))),
        "Action": (facts.action, asked.answer_action if asked is not None and released else FAULT_ACTION),
    }
    # 3  and it is bound to its request: to all of it, or to the little that C6 allows
    if asked is not None:
        expected["RelatesTo"] = facts.relates_to, asked.message_id
        expected["SignatureConfirmation"] = facts.confirmation, asked.signature
    elif isinstance(evidence, EarlyRefusal) and facts.relates_to is not None and evidence.nonce is not None:
        expected["RelatesTo"] = facts.relates_to, evidence.nonce
    for name, (signed, told) in expected.items():
        if signed != told:
            raise Problem(Fault.ANSWER_DIFFERS, name)
    return span(facts)[0].timestamp(), facts.own.get("Ledger-By", "")


def _bound(facts: SignedPartFacts, asked: AskedBySoap | None) -> frozenset[str]:
    """What of the request the answer covers; a refusal before the salt was claimed, a strictly valid MessageID (C6)."""
    if asked is not None:
        return frozenset({RELATES_TO, CONFIRMATION})
    named = facts.relates_to is not None and MESSAGE_ID_FORM.fullmatch(facts.relates_to)
    return frozenset({RELATES_TO}) if named else frozenset()
