"""What a sandbox that speaks REST answers: a request in, a signed answer out; everything but sockets."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.messages import Response
from certs.authority import DevAuthority
from certs.files import read_private
from certs.paths import Authority, vet
from certs.profiles import CertificateRefusedError, Profile
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, Party, Received, Signer
from gateway.signing.answer import keyid_of
from gateway.signing.base import TAG, lines
from gateway.signing.digest import content_digest
from gateway.signing.head import read_head
from gateway.signing.request import RequestVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from adapters.sandboxing.identity import SigningSettings
    from adapters.sandboxing.messages import Call
    from gateway.ports import Clock
    from gateway.signing.head import SignatureHead

_CALLER = "gateway"
_JSON = "application/json"
_HALF = 32


@dataclass(frozen=True, slots=True)
class _Identity:
    certificate: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def keyid(self) -> str:
        return keyid_of(x509.load_der_x509_certificate(self.certificate).fingerprint(hashes.SHA256()).hex())


class SigningService:
    """Believes the gateway alone, and signs what it answers; used by all threads."""

    def __init__(self, settings: SigningSettings, clock: Clock) -> None:
        """Raises OSError for a missing file, UnsafeFileError for a key that others can read."""
        self._clock = clock
        self._verifier = RequestVerifier(settings.origin, _Callers(settings))
        self._origin = settings.origin
        certificate = x509.load_pem_x509_certificate(settings.signing_certificate.read_bytes())
        self._identity = _Identity(certificate.public_bytes(Encoding.DER), _p256(read_private(settings.signing_key)))
        wrong = DevAuthority("impostor", clock.now()).issue(Profile.SIGNING, ["impostor"])
        self._wrong = _Identity(wrong.der, _p256(wrong.key_pem))

    def answer(
        self, call: Call, headers: Mapping[str, str], mode: Mode, fields: Callable[[], Mapping[str, object]]
    ) -> Response:
        """The answer to a request: signed, or an unsigned problem; ``headers`` by small names.

        What ``fields`` gives, once the request is known to be the gateway's; it raises Refusal for what it refuses.
        """
        nobody = CertificateProof("", (), ())
        received = Received(uuid.uuid4(), call.method, call.target, headers, call.body, b"", self._clock.now())
        try:
            self._verifier.verify(received, Party(_CALLER, nobody))
            head, told = read_head(headers), fields()
        except Refusal as refusal:
            body = json.dumps({"error": refusal.code.value, "component": refusal.component}).encode()
            return Response(400, {"Content-Type": "application/problem+json"}, body, refusal.code.value)
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        identity = self._wrong if mode is Mode.WRONG_CERTIFICATE else self._identity
        signed = self._signed(head, call, body, identity)
        if mode is Mode.WRONG_SIGNATURE:
            body = body.replace(b"{", b"{ ", 1)  # whatever it says, it is not what was signed
        return Response(200, signed, body, "answered")

    def _signed(self, head: SignatureHead, call: Call, body: bytes, identity: _Identity) -> dict[str, str]:
        """The answer's headers, its signature among them: S2 without the ledger, which only the gateway has."""
        digest = content_digest(body)
        pairs = [
            ('"@status"', "200"),
            ('"content-digest"', digest),
            ('"content-type"', _JSON),
            ('"@method";req', call.method),
            ('"@target-uri";req', self._origin + call.target),
            *([('"content-digest";req', call.digest)] if call.body else []),
            (f'"signature";req;key="{head.label}"', f":{b64encode(head.value).decode()}:"),
            (f'"signature-input";req;key="{head.label}"', head.parameters),
        ]
        names = " ".join(name for name, _ in pairs)
        created = int(self._clock.now().timestamp())
        parameters = f'({names});created={created};keyid="{identity.keyid}";tag="{TAG}"'
        value = b64encode(_raw(identity.key.sign(lines(pairs, parameters), ec.ECDSA(hashes.SHA256())))).decode()
        return {
            "Content-Type": _JSON,
            "Content-Digest": digest,
            "Signature-Input": f"answer={parameters}",
            "Signature": f"answer=:{value}:",
        }


class _Callers:
    """ports.Signers: the certificates that callers handed over, vetted each time by their authority."""

    def __init__(self, settings: SigningSettings) -> None:
        certificates = x509.load_pem_x509_certificates(settings.callers.read_bytes())
        self._known = {keyid_of(one.fingerprint(hashes.SHA256()).hex()): one for one in certificates}
        self._authority = Authority(
            "callers",
            roots=tuple(_der(path.read_bytes()) for path in settings.caller_roots),
            intermediates=tuple(_der(path.read_bytes()) for path in settings.caller_intermediates),
            crls=tuple(path.read_bytes() for path in settings.caller_crls),
        )

    def signer(self, keyid: str, at: datetime) -> Signer:
        """The caller that this keyid names; raises Refusal."""
        certificate = self._known.get(keyid)
        if certificate is None:
            raise Refusal(Code.KEY_UNKNOWN, component="keyid")
        der = certificate.public_bytes(Encoding.DER)
        try:
            vetted = vet(der, Profile.SIGNING, self._authority, at)
        except CertificateRefusedError as refused:
            raise Refusal(Code.KEY_REFUSED, component="keyid", reason=refused.reason) from None
        return Signer(_CALLER, der, CertificateProof(vetted.sha256, vetted.chain, vetted.revocation))


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(_HALF) + s.to_bytes(_HALF)


def _p256(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the sandbox signs with P-256")
    return key


def _der(content: bytes) -> bytes:
    return x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
