"""A real gateway in one process: its rooms, its ledger and its sequencer; only TLS and the registry's wire are not."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from adapters.loopback import Loopback
from gateway.app import Worker
from gateway.client.signer import RequestSigner
from gateway.composition import Composition
from gateway.development import Development, Ports
from gateway.development_policy import REGISTRY
from gateway.errors import Code
from gateway.keys.files import FileKeystore
from gateway.model import Attempt, Nirec, Received, Reply, UpstreamRefusal
from gateway.settings import load_settings
from gateway.signing import soap_names as n
from gateway.signing.soap_sign import SoapSigner
from gateway.system import SystemClock, SystemRandomness
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.client.signer import SignedRequest
    from gateway.model import CertificateProof, Grant, Released

NIREC_TARGET = "/v1/nirec/verifications"
_ASK = "urn:passerelle:civil-registry:v1/VerifierNaissance"


def keystore(folder: Path) -> FileKeystore:
    """A party's ``signing`` key."""
    return FileKeystore(folder, signing=["signing"])


def _alarm(_received: Received, fault: Exception) -> None:
    raise fault


@dataclass
class FakeRegistry:
    """An upstream whose messages are really signed: by the gateway's key, and by the registry's."""

    ours: SoapSigner
    theirs: SoapSigner
    clock: SystemClock
    randomness: SystemRandomness

    def call(self, grant: Grant) -> Reply:
        nirec = grant.message.fields["nirec"]
        assert isinstance(nirec, Nirec)
        asked_id, said_id = (f"urn:uuid:{self.randomness.uuid()}" for _ in range(2))
        at = self.clock.now()
        asked = self.ours.sign(
            envelope({n.TO: "https://registry.test/v1", n.ACTION: _ASK, n.MESSAGE_ID: asked_id}),
            [n.TO, n.ACTION, n.MESSAGE_ID],
        )
        if nirec.reveal().startswith("9"):
            attempt = Attempt(at, Code.UPSTREAM_TIMEOUT, asked, None)
            raise UpstreamRefusal(Code.UPSTREAM_TIMEOUT, attempts=(attempt,))
        said = self.theirs.sign(
            envelope({n.ACTION: f"{_ASK}Reponse", n.MESSAGE_ID: said_id, n.RELATES_TO: asked_id}),
            [n.ACTION, n.MESSAGE_ID, n.RELATES_TO],
            confirms=asked.signature,
        )
        outcome = "confirmed" if nirec.reveal().startswith("1") else "not_found"
        return Reply(REGISTRY, {"outcome": outcome}, (Attempt(at, "answered", asked, said),))


def envelope(headers: dict[str, str]) -> etree._Element:
    envelope = etree.Element(n.ENVELOPE, nsmap={"soapenv": n.SOAP, "wsa": n.WSA, "wsu": n.WSU})
    header = etree.SubElement(envelope, n.HEADER)
    for tag, text in headers.items():
        etree.SubElement(header, tag).text = text
    etree.SubElement(etree.SubElement(envelope, n.BODY), "{urn:test}asked").text = "nothing of anybody"
    return envelope


class Gateway:
    """A development set-up in a folder, and one worker of it."""

    def __init__(self, folder: Path, ports: Ports | None = None) -> None:
        self.folder = folder
        self.clock, self.randomness = SystemClock(), SystemRandomness()
        Development(folder, ports or Ports(), self.clock, self.randomness).create(births=300)
        self.settings = load_settings(folder / "passerelle.toml", {})
        self.composition = Composition(self.settings, self.clock, self.randomness)
        self.composition.prepare()
        self.worker = self._worker()

    def _worker(self) -> Worker:
        registry = keystore(self.folder / "sandbox" / REGISTRY)
        upstream = FakeRegistry(
            ours=SoapSigner(keystore(self.settings.folders.keys), self._prove_ours, self.clock),
            theirs=SoapSigner(registry, self._prove_registry, self.clock),
            clock=self.clock,
            randomness=self.randomness,
        )
        return Worker(self.composition, _alarm, upstreams={"loopback": Loopback(), REGISTRY: upstream})

    def _prove_ours(self, der: bytes) -> CertificateProof:
        return self.worker._signing_proof(der)

    def _prove_registry(self, der: bytes) -> CertificateProof:
        return self.worker._parties.counterpart(REGISTRY, der, self.clock.now())

    def party(self, name: str) -> Path:
        return self.folder / "sandbox" / "parties" / name

    def sign(
        self,
        party: str,
        target: str,
        fields: dict[str, Any],
        *,
        agreement: str,
        purpose: str,
        key: str | None = None,
    ) -> SignedRequest:
        signer = RequestSigner(keystore(self.party(party)), self.clock, self.randomness, self.settings.listen.origin)
        body = json.dumps(fields).encode()
        return signer.sign("POST", target, body, agreement=agreement, purpose=purpose, idempotency_key=key)

    def send(self, party: str, request: SignedRequest, tls: Path | None = None) -> Released:
        certificate = x509.load_pem_x509_certificate((tls or self.party(party) / "tls.pem").read_bytes())
        received = Received(
            exchange_id=self.randomness.uuid(),
            method=request.method,
            target=request.target,
            headers=request.headers,
            body=request.body,
            tls_certificate=certificate.public_bytes(Encoding.DER),
            at=self.clock.now(),
        )
        return self.worker._exchange.handle(received)

    def echo(self, party: str = "cooperative", agreement: str = "ESSAI-COOP", purpose: str = "essai") -> Released:
        request = self.sign(party, "/v1/echo", {"message": "bonjour"}, agreement=agreement, purpose=purpose)
        return self.send(party, request)

    def verify(self, first_digit: str) -> Released:
        fields = {
            "nirec": first_digit * 13,
            "family_name": "Fictif",
            "given_names": "Camille",
            "birth_date": "2024-02-29",
            "salt": b64encode(self.randomness.bytes(16)).decode(),
        }
        request = self.sign("ministry", NIREC_TARGET, fields, agreement="ENT-2026-02", purpose="admissibilite")
        return self.send("ministry", request)

    def refuse_early(self) -> None:
        """Requests that are refused at steps 1 to 4: a stranger's, unsigned ones, one under another's key, a replay."""
        request = self.sign("ministry", "/v1/echo", {"message": "a"}, agreement="ESSAI-MIN", purpose="essai")
        self.send("ministry", request, tls=self.folder / "sandbox" / REGISTRY / "tls.pem")
        for name, value in (("signature", ""), ("signature-input", "sig1=();tag=1"), ("authorization", "Bearer x")):
            self.send("ministry", replace(request, headers={**request.headers, name: value}))
        self.send("cooperative", request)
        self.send("ministry", replace(request, body=b"{}"))
        self.send("ministry", request)
        self.send("ministry", request)

    def change(self, change: Callable[[dict[str, Any]], object]) -> str:
        """Another policy in force, while the worker runs; gives its hex SHA-256."""
        digest = Officers(self.folder).change(change)
        self.worker._exchange.look()
        return digest

    def sequence(self) -> None:
        """Sequences and publishes what is waiting."""
        stop = threading.Event()
        stop.set()
        self.composition.sequence(stop)
