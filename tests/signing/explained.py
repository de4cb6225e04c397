"""Requests as a client saves them, and what `explain` finds in them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.signing.explain import Explainer, Explanation, NamedCertificate
from gateway.signing.saved import parse_saved
from gateway.system import SystemClock
from tests.signing.drafts import Draft

if TYPE_CHECKING:
    from certs.authority import Issued
    from gateway.client.signer import SignedRequest

ORIGIN = "https://gateway.test:8443"
NOW = SystemClock().now()
BODY = b'{"message":"bonjour"}\n'


def issued_keys() -> dict[str, Issued]:
    authority, host = DevAuthority("ministry", NOW.replace(microsecond=0)), ["ministry.passerelle.test"]
    return {
        "ecdsa": authority.issue(Profile.SIGNING, host),
        "other": authority.issue(Profile.SIGNING, host),
        "ed25519": authority.issue(Profile.SIGNING, host, key=ed25519.Ed25519PrivateKey.generate()),
        "rsa": authority.issue(Profile.SIGNING, host, key=rsa.generate_private_key(65537, 3072)),
    }


def draft(key: Issued, **changes: Any) -> Draft:
    return Draft(key, ORIGIN, int(NOW.timestamp()), body=BODY).but(**changes)


def raw(request: SignedRequest, end: str = "\r\n", **more: str) -> bytes:
    headers = {"Host": "gateway.test:8443", **request.headers, "Content-Length": str(len(request.body)), **more}
    rows = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return end.join([*rows, "", ""]).encode() + request.body


def explained(content: bytes, *keys: Issued, arrived: bool = True, later: int = 0) -> Explanation:
    named = [NamedCertificate(f"key {at}", item.der) for at, item in enumerate(keys)]
    return Explainer(ORIGIN, named, NOW + timedelta(seconds=later), arrived=arrived).explain(parse_saved(content))
