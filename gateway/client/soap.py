"""One call by SOAP as a party: signed by WS-Security, its answer verified as bound to it (DESIGN S4).

The body is made from the contract, as the WSDL describes it; a party with a SOAP stack of its own needs none of this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lxml import etree

from certs.files import write_private
from contracts.names import soap_path
from gateway.client.failed import kept
from gateway.client.receipts import BODIES
from gateway.client.verifier import AnswerError, VerifiedAnswer
from gateway.errors import ConfigurationError, Refusal
from gateway.model import CertificateProof
from gateway.signing import soap_names as n
from gateway.signing.answer import keyid_of
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.soap_verify import Expected, SoapVerifier
from gateway.translation.again import canonical_answer
from gateway.translation.operations import compile_operation
from gateway.translation.xml_error import XmlFormError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from contracts.loader import Contract
    from gateway.client.client import PartyClient
    from gateway.client.party import AgreedOperation, PartyFolder
    from gateway.ports import Clock, Keystore, Randomness

_SIGNED = (n.TO, n.ACTION, n.MESSAGE_ID, n.AGREEMENT, n.PURPOSE)
_LEDGER = frozenset({n.EXCHANGE_ID, n.LEDGER_LEAF, n.LEDGER_BY})
#: What a Fault that says nothing of the request, its salt unproven, need not be bound to (C6).
_UNBOUND = n.ANSWER_PARTS - {n.CONFIRMATION, n.RELATES_TO}
_GOOD = 300


@dataclass(frozen=True, slots=True)
class SoapExchange:
    """Both messages as they went over the wire, and what the answer says; its ``body`` is JSON, for people."""

    request: bytes = field(repr=False)
    envelope: bytes = field(repr=False)
    answer: VerifiedAnswer


class SoapCaller:
    """A party's calls by SOAP 1.1, over the connection of its client."""

    def __init__(
        self, client: PartyClient, party: PartyFolder, keystore: Keystore, clock: Clock, randomness: Randomness
    ) -> None:
        self._client = client
        self._party = party
        self._signer = SoapSigner(keystore, lambda der: CertificateProof(sha256(der).hexdigest(), (), ()), clock)
        self._clock = clock
        self._randomness = randomness

    def call(
        self, contract: Contract, operation: str, fields: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> SoapExchange:
        """The verified exchange; ``fields`` are canonical, the salt among them.

        Raises ConfigurationError for an operation without agreement or fields that are none of it, UnreachableError,
        AnswerError, KeystoreError.
        """
        compiled = compile_operation(contract, operation)
        agreed = self._agreed(operation)
        try:
            payload = compiled.request.xml.write(fields)
        except XmlFormError:
            raise ConfigurationError("fields_unfit_for_address", path=soap_path(contract)) from None
        target, message_id = soap_path(contract), f"urn:uuid:{self._randomness.uuid()}"
        blocks = {n.TO: self._party.origin + target, n.ACTION: compiled.names.action, n.MESSAGE_ID: message_id}
        blocks |= {n.AGREEMENT: agreed.agreement, n.PURPOSE: agreed.purpose}
        if idempotency_key is not None:
            blocks[n.IDEMPOTENCY_KEY] = idempotency_key
        envelope = _envelope(blocks, payload)
        signature = self._signer.sign(envelope, tuple(blocks)).signature
        asked = etree.tostring(envelope, encoding="utf-8")
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{compiled.names.action}"'}
        status, came = self._client.exchange(target, headers, asked)
        bound = Expected(n.ANSWER_PARTS | _LEDGER, relates_to=message_id, confirms=signature)
        answer = self._verified(status, came, bound, lambda body: canonical_answer(contract, operation, body))
        return SoapExchange(asked, came, answer)

    def keep(self, exchange: SoapExchange, receipts: Path) -> Path:
        """The answer's envelope is the receipt; both envelopes go into the party's own folder. Gives the receipt.

        Raises UnkeptError.
        """
        name = exchange.answer.exchange_id
        path = receipts / f"{name}.xml"
        with kept():
            receipts.mkdir(parents=True, exist_ok=True)
            path.write_bytes(exchange.envelope)
            for part, content in (("request", exchange.request), ("answer", exchange.envelope)):
                write_private(self._party.folder / BODIES / f"{name}.{part}.xml", content)
        return path

    def _agreed(self, operation: str) -> AgreedOperation:
        agreed = self._party.operations.get(operation)
        if agreed is None:
            known = ", ".join(sorted(self._party.operations))
            raise ConfigurationError("no_such_operation", operation=operation, known=known)
        return agreed

    def _verified(
        self, status: int, data: bytes, bound: Expected, read: Callable[[etree._Element], dict[str, object]]
    ) -> VerifiedAnswer:
        signers: list[bytes] = []

        def vet(der: bytes) -> CertificateProof:
            if self._client.gateway_key(keyid_of(sha256(der).hexdigest())) != der:
                raise AnswerError("answer_of_another_key")
            signers.append(der)
            return CertificateProof(sha256(der).hexdigest(), (), ())

        verifier = SoapVerifier(vet, self._clock)
        try:
            found = verifier.verify(data, bound if status < _GOOD else Expected(_UNBOUND | _LEDGER))
            fields = read(found.body) if found.body.tag != n.FAULT else _problem(found.body)
        except n.SoapSignatureError as error:
            raise AnswerError("answer_lacks", component=error.reason) from None
        except Refusal as error:
            raise AnswerError("answer_lacks", component=error.component or error.code.value) from None
        own = {name.lower(): text for name, text in found.facts.own.items()}
        body = json.dumps(fields, ensure_ascii=False).encode()
        return VerifiedAnswer(status, own, body, own["exchange-id"], own.get("ledger-leaf"), status < _GOOD, signers[0])


def _envelope(blocks: Mapping[str, str], payload: etree._Element) -> etree._Element:
    envelope = etree.Element(n.ENVELOPE, nsmap={"soapenv": n.SOAP, "wsa": n.WSA, "px": n.EXCHANGE})
    header = etree.SubElement(envelope, n.HEADER)
    for tag, text in blocks.items():
        etree.SubElement(header, tag).text = text
    etree.SubElement(envelope, n.BODY).append(payload)
    return envelope


def _problem(fault: etree._Element) -> dict[str, object]:
    """What a Fault says, by the names of problem+json (docs/profile.md)."""
    told: dict[str, object] = {}
    for one in fault.iter(f"{{{n.EXCHANGE}}}*"):
        name, language = etree.QName(one).localname, one.get("{http://www.w3.org/XML/1998/namespace}lang")
        if not len(one):
            told[name if language is None else f"{name}_{language}"] = one.text
    return told
