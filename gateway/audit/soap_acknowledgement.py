"""An acknowledgement by SOAP: evidence keeps the Body that was signed, whose prefixes nobody could guess (L12)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Problem
from gateway.errors import Refusal
from gateway.signing.soap_info import read_block
from gateway.signing.soap_names import BODIES, SoapSignatureError
from gateway.translation.again import canonical_request

if TYPE_CHECKING:
    from contracts.loader import Contract
    from gateway.audit.evidence_schema import AcknowledgedPart
    from gateway.audit.soap_request import AskedBySoap


def check_signed_body(operation: str, said: AcknowledgedPart, contract: Contract, asked: AskedBySoap | None) -> None:
    """Returns if the Body is the one that was signed, and says what evidence says; raises Problem."""
    if asked is None or said.body is None or sha256(said.body).digest() != asked.body_digest:
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "not what the caller signed")
    try:
        body = read_block(said.body)
        if body.tag not in BODIES or len(body) != 1:
            raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "the Body that was signed is none")
        fields = canonical_request(contract, operation, body[0])
    except (SoapSignatureError, Refusal):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "the Body that was signed is not the contract's") from None
    if fields != said.model_dump(exclude={"body"}):
        raise Problem(Fault.ACKNOWLEDGEMENT_DIFFERS, "the caller signed another one")
