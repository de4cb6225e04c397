"""Step 2: a caller's signature over the bytes as received (S1)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509

from gateway.errors import Code, Refusal
from gateway.model import RequestSignature, VerifiedRequest
from gateway.signing.algorithms import algorithm_of, verify
from gateway.signing.base import component, lines
from gateway.signing.digest import digest_holds
from gateway.signing.head import SignatureHead, read_head

if TYPE_CHECKING:
    from gateway.model import Party, Received
    from gateway.ports import Signers

#: A UUID without room for words: lower case, hyphens.
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_KEY = "00000000-0000-0000-0000-000000000000"
OLDEST = 300
NEWEST = 30
_REQUIRED = ("@method", "@target-uri", "exchange-agreement", "exchange-purpose")


@lru_cache(maxsize=1024)
def load(der: bytes) -> x509.Certificate:
    """A parsed certificate, parsed once; raises ValueError."""
    return x509.load_der_x509_certificate(der)


class RequestVerifier:
    """Verifies requests for the origin that callers address us by (``https://name[:port]``)."""

    def __init__(self, origin: str, signers: Signers) -> None:
        self._origin = origin
        self._signers = signers

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """The request as signed by this party; raises Refusal with the component that failed."""
        if "authorization" in received.headers:
            raise Refusal(Code.AUTHORIZATION_REFUSED, component="authorization")
        if received.oversize:
            raise Refusal(Code.BODY_TOO_LARGE)
        head = read_head(received.headers)
        try:
            return self._verified(received, party, head)
        except Refusal as refusal:
            # Evidence of a refusal keeps the nonce, which by now is strictly valid (C6).
            refusal.nonce = head.nonce
            raise

    def _verified(self, received: Received, party: Party, head: SignatureHead) -> VerifiedRequest:
        check_time(received, head)
        signer = self._signers.signer(head.keyid, received.at)
        if signer.party != party.name:
            raise Refusal(Code.KEY_OF_ANOTHER_PARTY, component="keyid")
        if missing := uncovered(received, head):
            raise Refusal(Code.COMPONENT_NOT_COVERED, component=missing[0])
        digest = check_body(received)
        base = self._base(received, head)
        algorithm = check_algorithm(load(signer.certificate), head)
        if not verify(load(signer.certificate), algorithm, head.value, base):
            raise Refusal(Code.SIGNATURE_INVALID, component="signature")
        signature = RequestSignature(
            head.label, head.parameters, base, head.value, algorithm, head.nonce, head.created, signer.proof
        )
        return VerifiedRequest(party, received, signature, digest)

    def _base(self, received: Received, head: SignatureHead) -> bytes:
        pairs = [(f'"{name}"', check_component(received, self._origin, name)) for name in head.components]
        return lines(pairs, head.parameters)


def check_component(received: Received, origin: str, name: str) -> str:
    """The value of a covered component; raises Refusal where the request has none that a base can hold."""
    value = component(received, origin, name)
    if value is None or not value.isascii() or "\n" in value or "\r" in value:
        raise Refusal(Code.SIGNATURE_INVALID, component=name)
    return value


def check_time(received: Received, head: SignatureHead) -> None:
    """Returns if the signature was made inside the window around its arrival (S1); raises Refusal."""
    now = received.at.timestamp()
    if not now - OLDEST <= head.created <= now + NEWEST:
        raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="created")
    if head.expires is not None and head.expires <= now:
        raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="expires")


def uncovered(received: Received, head: SignatureHead) -> list[str]:
    """The components that this request's signature must cover, and does not (S1); one may stand there twice."""
    required = list(_REQUIRED)
    required += ["content-digest"] if received.body else []
    required += [name for name in ("content-digest", "content-type", "idempotency-key") if name in received.headers]
    return [name for name in required if name not in head.components]


def check_body(received: Received) -> str | None:
    """The Content-Digest, which is the body's; None without a body. Raises Refusal."""
    # A free text here would enter evidence with the base.
    if not UUID_TEXT.fullmatch(received.headers.get("idempotency-key", _NO_KEY)):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="idempotency-key")
    digest = received.headers.get("content-digest")
    if digest is None:
        if received.body:
            raise Refusal(Code.COMPONENT_NOT_COVERED, component="content-digest")
        return None
    if not digest_holds(digest, received.body):
        raise Refusal(Code.DIGEST_MISMATCH, component="content-digest")
    return digest.strip()


def check_algorithm(certificate: x509.Certificate, head: SignatureHead) -> str:
    """The algorithm of this certificate's key, which the signature may name and may not choose; raises Refusal."""
    algorithm = algorithm_of(certificate)
    if algorithm is None or head.alg not in (None, algorithm):
        raise Refusal(Code.KEY_REFUSED, component="alg")
    return algorithm
