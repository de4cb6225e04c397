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
    from gateway.model import Party, Received, Signer
    from gateway.ports import Signers

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
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
        _check_time(received, head)
        signer = self._signers.signer(head.keyid, received.at)
        if signer.party != party.name:
            raise Refusal(Code.KEY_OF_ANOTHER_PARTY, component="keyid")
        _check_coverage(received, head)
        digest = _check_body(received)
        base = self._base(received, head)
        algorithm = _algorithm(signer, head)
        if not verify(load(signer.certificate), algorithm, head.value, base):
            raise Refusal(Code.SIGNATURE_INVALID, component="signature")
        signature = RequestSignature(
            head.label, head.parameters, base, head.value, algorithm, head.nonce, head.created, signer.proof
        )
        return VerifiedRequest(party, received, signature, digest)

    def _base(self, received: Received, head: SignatureHead) -> bytes:
        pairs: list[tuple[str, str]] = []
        for name in head.components:
            value = component(received, self._origin, name)
            if value is None or not value.isascii() or "\n" in value or "\r" in value:
                raise Refusal(Code.SIGNATURE_INVALID, component=name)
            pairs.append((f'"{name}"', value))
        return lines(pairs, head.parameters)


def _check_time(received: Received, head: SignatureHead) -> None:
    now = received.at.timestamp()
    if not now - OLDEST <= head.created <= now + NEWEST:
        raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="created")
    if head.expires is not None and head.expires <= now:
        raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="expires")


def _check_coverage(received: Received, head: SignatureHead) -> None:
    required = list(_REQUIRED)
    required += ["content-digest"] if received.body else []
    required += [name for name in ("content-digest", "content-type", "idempotency-key") if name in received.headers]
    for name in required:
        if name not in head.components:
            raise Refusal(Code.COMPONENT_NOT_COVERED, component=name)


def _check_body(received: Received) -> str | None:
    # A free text here would enter evidence with the base.
    if not _UUID.fullmatch(received.headers.get("idempotency-key", _NO_KEY)):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="idempotency-key")
    digest = received.headers.get("content-digest")
    if digest is None:
        if received.body:
            raise Refusal(Code.COMPONENT_NOT_COVERED, component="content-digest")
        return None
    if not digest_holds(digest, received.body):
        raise Refusal(Code.DIGEST_MISMATCH, component="content-digest")
    return digest.strip()


def _algorithm(signer: Signer, head: SignatureHead) -> str:
    algorithm = algorithm_of(load(signer.certificate))
    if algorithm is None or head.alg not in (None, algorithm):
        raise Refusal(Code.KEY_REFUSED, component="alg")
    return algorithm
