"""What the sandbox answers: a request's bytes in, status and bytes out; everything but sockets."""

from __future__ import annotations

import base64
import secrets
import threading
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from adapters.civil_registry.sandbox.answering import SigningIdentity, fault, signed_answer, spoil_signature
from adapters.civil_registry.sandbox.checking import RequestChecker, RequestRefusedError
from adapters.sandboxing.behaviour import Mode
from certs.authority import DevAuthority
from certs.files import read_private
from certs.paths import Authority
from certs.profiles import Profile
from gateway.signing.xml import parse

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.civil_registry.sandbox.settings import SandboxSettings
    from adapters.civil_registry.sandbox.storage import Register
    from gateway.ports import Clock

NAMESPACE = "urn:passerelle:civil-registry:v1"
REQUEST_ACTION = f"{NAMESPACE}/VerifierNaissance"
ANSWER_ACTION = f"{NAMESPACE}/VerifierNaissanceReponse"
_E = f"{{{NAMESPACE}}}"
_SALT = 32


@dataclass(frozen=True, slots=True)
class Response:
    """An answer on its way; ``outcome`` is a word for the log line, without personal data."""

    status: int
    body: bytes = field(repr=False)
    outcome: str


class Service:
    """The registry behind its listener; used by all threads."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self._clock = clock
        self._checker = RequestChecker(_callers(settings), clock, settings.address, REQUEST_ACTION)
        self._schema = etree.XMLSchema(parse((settings.contract / "civil_registry.xsd").read_bytes()))
        self._schema_lock = threading.Lock()
        certificate = x509.load_pem_x509_certificate(settings.signing_certificate.read_bytes())
        key = read_private(settings.signing_key)
        self._identity = SigningIdentity(certificate.public_bytes(Encoding.DER), key)
        wrong = DevAuthority("impostor", clock.now()).issue(Profile.SIGNING, ["impostor"])
        self._wrong_identity = SigningIdentity(wrong.der, wrong.key_pem)

    def answer(self, data: bytes, register: Register, mode: Mode) -> Response:
        """The signed answer, or a fault with status 500."""
        try:
            request = self._checker.check(data)
            self._check_schema(request.payload)
        except RequestRefusedError as refused:
            return Response(500, fault(refused.reason), refused.reason)
        result = "PEUT_ETRE" if mode is Mode.MALFORMED else _look_up(request.payload, register)
        payload = etree.Element(f"{_E}VerifierNaissanceReponse", nsmap={"ec": NAMESPACE})
        etree.SubElement(payload, f"{_E}salt").text = base64.b64encode(secrets.token_bytes(_SALT)).decode()
        etree.SubElement(payload, f"{_E}resultat").text = result
        identity = self._wrong_identity if mode is Mode.WRONG_CERTIFICATE else self._identity
        body = signed_answer(payload, request, ANSWER_ACTION, identity, self._clock.now())
        # Whether a number exists is personal too: the log says only that there was an answer.
        return Response(200, spoil_signature(body) if mode is Mode.WRONG_SIGNATURE else body, "answered")

    def _check_schema(self, payload: etree._Element) -> None:
        with self._schema_lock:
            valid = self._schema.validate(payload)
        if not valid or payload.tag != f"{_E}VerifierNaissance":
            raise RequestRefusedError("schema_invalid")


def _look_up(payload: etree._Element, register: Register) -> str:
    row = register.find(payload.findtext(f"{_E}nirec", ""))
    if row is None:
        return "INTROUVABLE"
    asked = [_plain(payload.findtext(f"{_E}{name}", "")) for name in ("nomFamille", "prenoms", "dateNaissance")]
    return "CONFIRME" if asked == [_plain(value) for value in row[1:]] else "NON_CONFIRME"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().strip()


def _callers(settings: SandboxSettings) -> Authority:
    return Authority(
        "callers",
        roots=tuple(der for path in settings.caller_roots for der in _certificates(path)),
        intermediates=tuple(der for path in settings.caller_intermediates for der in _certificates(path)),
        crls=tuple(_revocation_list(path) for path in settings.caller_crls),
    )


def _certificates(path: Path) -> list[bytes]:
    content = path.read_bytes()
    if not content.startswith(b"-----BEGIN"):
        return [content]
    return [item.public_bytes(Encoding.DER) for item in x509.load_pem_x509_certificates(content)]


def _revocation_list(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"-----BEGIN"):
        return content
    return x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)
