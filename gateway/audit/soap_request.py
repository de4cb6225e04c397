"""A caller's kept SOAP request: signed by the caller, for what evidence says, in its time, and once (S4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from certs.profiles import Profile
from contracts.names import soap_names, soap_path
from gateway.audit.soap_blocks import MESSAGE_ID_FORM, signed_facts, span
from gateway.audit.verdict import Fault, Problem
from gateway.signing.algorithms import algorithm_of
from gateway.signing.soap_info import read_block
from gateway.signing.soap_kept import ID, may_be_kept
from gateway.signing.soap_names import CALLER_PARTS, REQUEST_MAY_SIGN, SOAP_11, SOAP_12

if TYPE_CHECKING:
    from datetime import datetime

    from contracts.loader import Contract
    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import Exchange, SoapRequestPart
    from gateway.audit.intents import Intent
    from gateway.audit.policies import Policy
    from gateway.audit.traces import Traces
    from gateway.signing.soap_facts import SignedPartFacts

#: As of a request by REST (S1); and the clocks of the two may differ by so much.
_OLDEST = timedelta(seconds=300)
_SKEW = timedelta(seconds=30)
_ORIGIN = r"https://[a-z0-9.-]+(?::[0-9]+)?"
_FAULTS = (Fault.REQUEST_MALFORMED, Fault.REQUEST_SIGNATURE_INVALID)


@dataclass(frozen=True, slots=True)
class AskedBySoap:
    """A request that the caller signed, and what binds an answer to it.

    Attributes:
        message_id: to which the answer relates.
        signature: which it confirms.
        answer_action: how an answer of the operation is called.
        body_digest: SHA-256 of the canonical Body.
    """

    message_id: str
    signature: bytes = field(repr=False)
    answer_action: str
    body_digest: bytes = field(repr=False)


def check_soap_request(
    evidence: Exchange | Intent,
    request: SoapRequestPart,
    contract: Contract,
    policy: Policy,
    certificates: Certificates,
    traces: Traces,
) -> AskedBySoap:
    """What the answer must be bound to, if the caller signed this request; raises Problem."""
    at, caller = evidence.received_at, evidence.parties.caller
    # 1  the keys were the caller's at the time
    certificates.check(request.tls, Profile.TLS_CLIENT, caller, policy, at)
    certificate = certificates.check(request.signing, Profile.SIGNING, caller, policy, at)
    if algorithm_of(certificate, soap=True) != request.algorithm:
        raise Problem(Fault.REQUEST_DIFFERS, "algorithm")
    # 2  the signature holds, over blocks that are kept and a Body that is not
    der = certificate.public_bytes(Encoding.DER)
    facts = signed_facts(request.signed_info, request.signature, request.headers, der, _FAULTS)
    # 3  it covers all that S4 asks for and nothing with room for words, and what it covers is what evidence says
    if differs := (CALLER_PARTS - facts.parts) | (facts.parts - REQUEST_MAY_SIGN):
        raise Problem(Fault.REQUEST_NOT_COVERED, min(differs).rpartition("}")[2])
    soap = SOAP_12 if request.form == "soap12" else SOAP_11
    if not all(may_be_kept(name, read_block(block), soap) for name, block in request.headers.items()):
        raise Problem(Fault.REQUEST_MALFORMED, "a signed header block with room for words")
    if not ID.fullmatch(facts.body_id):
        raise Problem(Fault.REQUEST_MALFORMED, "a Body whose Id has room for words")
    names = soap_names(contract, evidence.operation)
    said = {
        "Action": (facts.action, names.action),
        "Exchange-Agreement": (facts.own.get("Exchange-Agreement"), evidence.agreement),
        "Exchange-Purpose": (facts.own.get("Exchange-Purpose"), evidence.purpose),
    }
    for name, (signed, told) in said.items():
        if signed != told:
            raise Problem(Fault.REQUEST_DIFFERS, name)
    if not re.fullmatch(_ORIGIN + re.escape(soap_path(contract)), facts.to or ""):
        raise Problem(Fault.REQUEST_DIFFERS, "To")
    # 4  in its time, and once: what the whole log says
    _check_time(facts, at)
    if facts.message_id is None or not MESSAGE_ID_FORM.fullmatch(facts.message_id):
        raise Problem(Fault.REQUEST_MALFORMED, "MessageID")
    traces.nonce(request.signing.sha256, facts.message_id, at)
    return AskedBySoap(facts.message_id, request.signature, names.answer_action, facts.body_digest)


def _check_time(facts: SignedPartFacts, received_at: datetime) -> None:
    created, expires = span(facts)
    in_window = received_at - _OLDEST <= created <= received_at + _SKEW
    if not in_window or expires < received_at - _SKEW:
        raise Problem(Fault.TIME_DIFFERS, "the request was signed too long before it came, or after")
