"""A party's requests, signed as the profile asks (S1)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.signing.answer import keyid_of
from gateway.signing.base import TAG, lines
from gateway.signing.digest import content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ports import Clock, Keystore, Randomness

LABEL = "sig1"
SIGNING_KEY = "signing"
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
    """Signs with a party's key; every request has a fresh nonce."""

    def __init__(self, keystore: Keystore, clock: Clock, randomness: Randomness, origin: str) -> None:
        self._keystore = keystore
        self._clock = clock
        self._randomness = randomness
        self._origin = origin
        self._keyid = keyid_of(sha256(keystore.certificate(SIGNING_KEY)).hexdigest())

    def sign(self, method: str, target: str, body: bytes, *, agreement: str, purpose: str) -> SignedRequest:
        """The request; raises KeystoreError."""
        headers = {"exchange-agreement": agreement, "exchange-purpose": purpose}
        if body:
            headers |= {"content-digest": content_digest(body), "content-type": "application/json"}
        pairs = [("@method", method), ("@target-uri", self._origin + target), *headers.items()]
        names = " ".join(f'"{name}"' for name, _ in pairs)
        nonce = b64encode(self._randomness.bytes(_NONCE_BYTES)).decode()
        created = int(self._clock.now().timestamp())
        parameters = f'({names});created={created};nonce="{nonce}";keyid="{self._keyid}";tag="{TAG}"'
        base = lines(((f'"{name}"', value) for name, value in pairs), parameters)
        signature = self._keystore.sign(SIGNING_KEY, base)
        headers["signature-input"] = f"{LABEL}={parameters}"
        headers["signature"] = f"{LABEL}=:{b64encode(signature).decode()}:"
        return SignedRequest(method, target, headers, body, parameters, signature, base)
