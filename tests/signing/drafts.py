"""Requests signed as a test wants them: any component, parameter, label or key, right by default."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from gateway.client.signer import SignedRequest
from gateway.identity.parties import keyid
from gateway.keys.raw import raw_low_s
from gateway.signing.base import lines
from gateway.signing.digest import content_digest
from gateway.signing.structured import InnerList, Item, serialise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certs.authority import Issued

_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
COMPONENTS = ("@method", "@target-uri", "exchange-agreement", "exchange-purpose", "content-digest", "content-type")


def raw_signature(issued: Issued, data: bytes) -> bytes:
    """A signature in RFC 9421's form, whatever the key."""
    key = issued.key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _PSS, hashes.SHA512())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return raw_low_s(key.sign(data, ec.ECDSA(hashes.SHA256())))


@dataclass(frozen=True)
class Draft:
    """A request before it is signed; ``but`` makes another with a few things changed."""

    key: Issued
    origin: str
    created: int
    body: bytes = b'{"message":"bonjour"}'
    method: str = "POST"
    target: str = "/v1/echo"
    agreement: str = "ESSAI-MIN"
    purpose: str = "essai"
    components: tuple[str, ...] = COMPONENTS
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    label: str = "sig1"

    def but(self, **changes: Any) -> Draft:
        return replace(self, **changes)

    def signed(self) -> SignedRequest:
        headers = {
            "content-digest": content_digest(self.body),
            "content-type": "application/json",
            "exchange-agreement": self.agreement,
            "exchange-purpose": self.purpose,
        } | dict(self.headers)
        given: dict[str, Any] = {
            "created": self.created,
            "nonce": fresh_nonce(),
            "keyid": keyid(self.key.der),
            "tag": "passerelle",
        }
        given |= self.parameters
        kept = tuple((name, value) for name, value in given.items() if name not in self.without)
        member = InnerList(tuple(Item(name) for name in self.components), kept)
        derived = {
            "@method": self.method,
            "@target-uri": self.origin + self.target,
            "@authority": self.origin.partition("://")[2],
            "@path": self.target,
        }
        known = derived | headers
        pairs = [(serialise(Item(name)), known.get(name, "")) for name in self.components]
        parameters = serialise(member)
        base = lines(pairs, parameters)
        signature = raw_signature(self.key, base)
        headers["signature-input"] = f"{self.label}={parameters}"
        headers["signature"] = f"{self.label}=:{b64encode(signature).decode()}:"
        return SignedRequest(self.method, self.target, headers, self.body, parameters, signature, base)


def fresh_nonce() -> str:
    return b64encode(secrets.token_bytes(18)).decode()


def fresh_salt() -> str:
    return b64encode(secrets.token_bytes(16)).decode()
