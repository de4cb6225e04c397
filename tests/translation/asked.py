"""Requests as step 2 hands them on, in both forms; and a contract that holds every shape there is."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts.loader import load_contract, load_contracts
from contracts.names import soap_names, soap_path
from gateway.model import (
    CertificateProof,
    Grant,
    Party,
    Received,
    RequestSignature,
    SignedPart,
    SoapSignature,
    VerifiedRequest,
)
from gateway.signing.xml import canonical, parse
from gateway.translation.translation import Translation
from tests.adapters.fakes import ShiftedClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.loader import Contract
    from gateway.model import Message

KEY = "6f1c1e34-0000-4000-8000-00000000000a"
PROOF = CertificateProof("00" * 32, (), ())
NIREC = "1234567890123"
SALT = b64encode(bytes(range(16))).decode()
CONTRACTS = {contract.service: contract for contract in load_contracts(Path(__file__).parents[2] / "contracts")}
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body Id="b">{}</s:Body></s:Envelope>'
PERSON = {"nirec": NIREC, "family_name": "Tremblay", "given_names": "Zoé", "birth_date": "2024-02-29", "salt": SALT}


def translation(contracts: Iterable[Contract] = tuple(CONTRACTS.values())) -> Translation:
    return Translation(contracts, SystemRandomness(), r"\d{13}")


def asked_by_rest(body: bytes, **changes: Any) -> VerifiedRequest:
    """A POST of JSON to the NIREC's operation, or what ``changes`` make of it."""
    given: dict[str, Any] = {"method": "POST", "target": "/v1/nirec/verifications"} | changes
    headers = {"content-type": "application/json", "exchange-agreement": "ENT-2026-02", "exchange-purpose": "p"}
    headers["idempotency-key"] = KEY
    signature = RequestSignature("sig1", "", b"", b"", "ed25519", "n" * 24, 0, PROOF)
    return VerifiedRequest(Party("ministry", PROOF), _received(headers, body, given), signature, None)


def asked_by_soap(
    payload: str, contract: Contract, operation: str, *, envelope: str = ENVELOPE, **changes: Any
) -> VerifiedRequest:
    """The same by SOAP: ``payload`` is the text in the Body."""
    given: dict[str, Any] = {
        "method": "POST",
        "target": soap_path(contract),
        "action": soap_names(contract, operation).action,
        "message_id": "urn:uuid:6f1c1e34-0000-4000-8000-000000000001",
        "form": "soap11",
    } | changes
    data = envelope.format(payload).encode()
    body = parse(data)[-1]
    block = f"<MessageID>{given.pop('message_id')}</MessageID>".encode()
    part = SignedPart(b"<SignedInfo/>", b"", {"m": block}, PROOF)
    signature = SoapSignature(
        part, "ecdsa-p256-sha256", "", 0, given.pop("action"), "ENT-2026-02", "p", canonical(body), KEY
    )
    return VerifiedRequest(Party("ministry", PROOF), _received({}, data, given), signature, None, body[0])


def _received(headers: dict[str, str], body: bytes, given: dict[str, Any]) -> Received:
    now = ShiftedClock().now()
    return Received(exchange_id=UUID(int=4), headers=headers, body=body, tls_certificate=b"", at=now, **given)


def person(**changes: str | None) -> str:
    """The payload of nirec.verify; a change is the text of an element, None for none."""
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in (PERSON | changes).items() if text is not None)
    return f'<NirecVerifyRequest xmlns="urn:passerelle:nirec:v1">{inside}</NirecVerifyRequest>'


def granted(message: Message) -> Grant:
    return Grant(message, "a", "p", message.disclosable, tells_not_found=True, policy_sha256="00")


def contract_of(
    message: dict[str, Any], *, service: str = "rich", version: str = "1", path: str = "/v1/rich"
) -> Contract:
    """A contract of one operation, ``SERVICE.ask``, whose request and answer are the same message."""
    title = {"fr": "Essai", "en": "Trial"}
    operation = {
        "title": title,
        "description": title,
        "rest": {"method": "POST", "path": path},
        "upstream": "loopback",
        "idempotent": True,
        "limits": {"request_bytes": 65536, "response_bytes": 65536, "deadline_seconds": 5},
        "request": message,
        "response": message,
        "errors": [],
    }
    declared = {"service": service, "version": version, "title": title, "operations": {f"{service}.ask": operation}}
    return load_contract(json.dumps(declared, ensure_ascii=False).encode())


def leaf(kind: str | list[str], **words: Any) -> dict[str, Any]:
    """A field's schema, described; below the top level without its sensitivity."""
    return {"type": kind, "description": {"fr": "Champ", "en": "Field"}} | words


def _public(**fields: dict[str, Any]) -> dict[str, Any]:
    return {name: field | {"sensitivity": "public"} for name, field in fields.items()}


_PLACE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": leaf("string", minLength=1),
        "since": leaf(["string", "null"], format="date"),
        "open": leaf("boolean", xml={"attribute": True}),
    },
}
#: Each kind, attributes, a choice, lists of values, of objects and of lists, null wherever it may stand.
RICH = contract_of(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "text"],
        "oneOf": [{"required": ["one"]}, {"required": ["other"]}],
        "properties": _public(
            code=leaf("string", enum=["a", "b c"], xml={"attribute": True}),
            rank=leaf("integer", xml={"attribute": True, "name": "Rank"}),
            text=leaf("string"),
            maybe=leaf(["string", "null"], maxLength=20),
            day=leaf("string", format="date"),
            moment=leaf("string", format="date-time"),
            amount=leaf(["string", "null"], format="decimal"),
            count=leaf("integer"),
            open=leaf("boolean"),
            data=leaf("string", contentEncoding="base64"),
            one=leaf("string"),
            other=leaf(["integer", "null"]),
            words=leaf(["array", "null"], maxItems=3, xml={"item": "word"}, items={"type": "string"}),
            rows=leaf("array", items={"type": "array", "items": {"type": "integer"}}),
            places=leaf("array", xml={"item": "place", "name": "Places"}, items=_PLACE),
            inner=leaf(["object", "null"], additionalProperties=False, properties={"deep": leaf("string")}),
        ),
    }
)
