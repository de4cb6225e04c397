"""A REST request of ours, signed as the profile asks (S1): a party's to the gateway, the gateway's to an upstream."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.signing.answer import SIGNING_KEY, keyid_of
from gateway.signing.base import TAG, lines
from gateway.signing.digest import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.ports import Clock, Keystore, Randomness

LABEL = "sig1"
_NONCE_BYTES = 18


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request ready to be sent, with what its answer must be bound to."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    parameters: str
    signature: bytes
    base: bytes


class RequestSigner:
    """Signs under one P-256 key for one origin (``https://name[:port]``); every request has a fresh nonce."""

    def __init__(
        self,
        keystore: Keystore,
        clock: Clock,
        randomness: Randomness,
        origin: str,
        key: Callable[[], str] = lambda: SIGNING_KEY,
    ) -> None:
        """``key`` names the key in use, anew for each request: it may have been rotated. Raises KeystoreError."""
        self._keystore = keystore
        self._clock = clock
        self._randomness = randomness
        self._origin = origin
        self._key = key
        self._keyids: dict[bytes, str] = {}

    def sign(
        self, method: str, target: str, body: bytes, *, agreement: str, purpose: str, idempotency_key: str | None = None
    ) -> SignedRequest:
        """The request; ``idempotency_key`` is a UUID, for what has an effect. Raises KeystoreError."""
        key = self._key()
        headers = {"exchange-agreement": agreement, "exchange-purpose": purpose}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        if body:
            headers |= {"content-digest": content_digest(body), "content-type": "application/json"}
        pairs = [("@method", method), ("@target-uri", self._origin + target), *headers.items()]
        names = " ".join(f'"{name}"' for name, _ in pairs)
        nonce = b64encode(self._randomness.bytes(_NONCE_BYTES)).decode()
        created = int(self._clock.now().timestamp())
        keyid = self._keyid(self._keystore.certificate(key))
        parameters = f'({names});created={created};nonce="{nonce}";keyid="{keyid}";tag="{TAG}"'
        base = lines(((f'"{name}"', value) for name, value in pairs), parameters)
        signature = self._keystore.sign(key, base)
        headers["signature-input"] = f"{LABEL}={parameters}"
        headers["signature"] = f"{LABEL}=:{b64encode(signature).decode()}:"
        return SignedRequest(method, target, headers, body, parameters, signature, base)

    def certificate(self) -> bytes:
        """DER of the certificate of the key in use; raises KeystoreError."""
        return self._keystore.certificate(self._key())

    def _keyid(self, certificate: bytes) -> str:
        if certificate not in self._keyids:
            self._keyids = {certificate: keyid_of(sha256(certificate).hexdigest())}
        return self._keyids[certificate]
