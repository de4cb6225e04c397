"""A gateway whose callers and registry keep what they signed; the registry speaks as its WSDL has it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from adapters.civil_registry.adapter import contract_directory
from adapters.loopback import Loopback
from adapters.mapping.soap_form import soap_service
from certs.files import write_private
from contracts.names import soap_names, soap_path, versioned
from gateway.app import Worker
from gateway.development_policy import REGISTRY
from gateway.model import Attempt, Received, Reply
from gateway.signing import soap_names as n
from gateway.signing.digest import content_digest
from gateway.signing.soap_open import open_soap, proven
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.xml import parse
from tests.audit.gateway_run import Gateway, envelope, keystore
from tests.audit.keeping_cooperative import PARTY, KeepingCooperative
from tests.exchange.live import read_issued
from tests.signing.drafts import fresh_salt
from tests.signing.soap_drafts import SoapDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.model import Form, Grant
    from gateway.ports import Upstream

    Fields = Mapping[str, object]

ANSWER = "{urn:passerelle:civil-registry:v1}VerifierNaissanceReponse"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TERMS = {
    "nirec.verify": ("ENT-2026-02", "admissibilite"),
    "waitlist.statistics": ("ENT-2026-09", "planification"),
}
VERIFICATION = {"nirec": "1" * 13, "family_name": "Fictif", "given_names": "Camille", "birth_date": "2024-02-29"}


@dataclass
class KeepingRegistry:
    """An upstream that keeps each envelope that it gets and sends; the gateway may alter what it is to ask, or told."""

    gateway: Gateway
    folder: Path
    results: list[str]
    ask: Callable[[dict[str, object]], dict[str, object]] = field(default=lambda fields: fields)
    tell: Callable[[dict[str, object]], dict[str, object]] = field(default=lambda fields: fields)

    def __post_init__(self) -> None:
        self._service = soap_service(contract_directory(), self.gateway.composition.contracts)
        clock = self.gateway.clock
        keys = self.gateway.settings.folders.keys
        self._ours = SoapSigner(keystore(keys), self.gateway._prove_ours, clock)
        theirs = keystore(self.gateway.folder / "sandbox" / REGISTRY)
        self._theirs = SoapSigner(theirs, self.gateway._prove_registry, clock)

    def call(self, grant: Grant) -> Reply:
        message = grant.message
        operation = self._service.operations[versioned(message.operation.name, "1")]
        asked_id, said_id = (f"urn:uuid:{self.gateway.randomness.uuid()}" for _ in range(2))
        fields = self.ask(dict(message.fields))
        headers = {n.TO: "https://registry.test/v1", n.ACTION: operation.action, n.MESSAGE_ID: asked_id}
        question = _envelope(headers, operation.payload(fields, self.gateway.randomness.bytes(16)))
        at = self.gateway.clock.now()
        asked = self._ours.sign(question, list(headers))
        headers = {n.ACTION: operation.answer_action or "", n.MESSAGE_ID: said_id, n.RELATES_TO: asked_id}
        answer = etree.Element(ANSWER)
        for name, text in (("salt", fresh_salt()), ("resultat", self.results.pop(0))):
            etree.SubElement(answer, ANSWER.partition("}")[0] + "}" + name).text = text
        answered = _envelope(headers, answer)
        said = self._theirs.sign(answered, list(headers), confirms=asked.signature)
        for number, message_bytes in enumerate((question, answered)):
            (self.folder / f"{asked_id[9:]}-{number}.xml").write_bytes(etree.tostring(message_bytes))
        told = self.tell(dict(operation.read(answer).fields))
        return Reply(REGISTRY, told, (Attempt(at, "answered", asked, said),))


@dataclass
class AlteringLoopback:
    """An echo that may say something else."""

    tell: Callable[[dict[str, object]], dict[str, object]] = field(default=lambda fields: fields)

    def call(self, grant: Grant) -> Reply:
        reply = Loopback().call(grant)
        return replace(reply, fields=self.tell(dict(reply.fields)))


def _envelope(headers: dict[str, str], payload: etree._Element) -> etree._Element:
    made = envelope(headers)
    body = made.find(n.BODY)
    assert body is not None
    body[:] = [payload]
    return made


class KeepingGateway(Gateway):
    """The gateway of gateway_run, its registry keeping; ``by_soap`` is a caller's exchange, kept by the caller."""

    def __init__(self, folder: Path) -> None:
        self.kept_there = folder.with_name("registry")
        self.kept_there.mkdir(parents=True)
        super().__init__(folder)

    def _worker(self) -> Worker:
        self.registry = KeepingRegistry(self, self.kept_there, [])
        self.echoing = AlteringLoopback()
        self.counting = KeepingCooperative(self, self.kept_there)
        upstreams: dict[str, Upstream] = {"loopback": self.echoing, REGISTRY: self.registry, PARTY: self.counting}
        return Worker(self.composition, _alarm, upstreams=upstreams)

    def by_soap(self, kept: Path, operation: str, form: Form, **fields: str) -> str:
        """The exchange's id; both envelopes are kept by it. An empty field is nil."""
        party = "ministry"
        agreement, purpose = TERMS.get(operation, ("ESSAI-MIN", "essai"))
        contract = next(one for one in self.composition.contracts if operation in one.operations)
        names = soap_names(contract, operation)
        root = etree.Element(f"{{{names.namespace}}}{names.request}", nsmap={"x": names.namespace})
        for tag, text in fields.items():
            element = etree.SubElement(root, f"{{{names.namespace}}}{tag}")
            element.text = text or None
            if not text:
                element.set(NIL, "true")
        draft = SoapDraft(
            read_issued(self.party(party) / "signing"),
            self.settings.listen.origin,
            form=form,
            target=soap_path(contract),
            action=names.action,
            payload=etree.tostring(root),
            agreement=agreement,
            purpose=purpose,
        )
        request = draft.signed()
        certificate = x509.load_pem_x509_certificate((self.party(party) / "tls.pem").read_bytes())
        received = Received(
            exchange_id=self.randomness.uuid(),
            method="POST",
            target=request.target,
            headers=request.headers,
            body=request.body,
            tls_certificate=certificate.public_bytes(Encoding.DER),
            at=self.clock.now(),
            form=form,
        )
        released = self.worker._exchange.handle(received)
        for part, body in (("request", request.body), ("answer", released.body)):
            write_private(kept / f"{received.exchange_id}.{part}.xml", body)
        return str(received.exchange_id)

    def acknowledge_by_soap(self, kept: Path, exchange_id: str) -> str:
        """Of an exchange by SOAP under the terms of `echo`; what it repeats stands in the answer that was kept."""
        answer = (kept / f"{exchange_id}.answer.xml").read_bytes()
        opened = open_soap(parse(answer), n.SOAP_11)
        leaf = proven(opened, opened.token.value).own["Ledger-Leaf"]
        digest = content_digest(opened.body)
        fields = {"exchange_id": exchange_id, "ledger_leaf": leaf, "answer_digest": digest}
        return self.by_soap(kept, "exchange.acknowledge", "soap11", **fields, handle="")

    def verify_by_soap(self, kept: Path, form: Form = "soap11") -> str:
        return self.by_soap(kept, "nirec.verify", form, **VERIFICATION, salt=fresh_salt())


def _alarm(_received: Received, fault: Exception) -> None:
    raise fault
