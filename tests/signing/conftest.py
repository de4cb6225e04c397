from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.errors import Code, Refusal
from gateway.identity.parties import keyid
from gateway.model import Party, Received, RequestSignature, Signer
from gateway.signing.request import RequestVerifier
from tests.adapters.fakes import prove
from tests.signing.drafts import Draft

if TYPE_CHECKING:
    from certs.authority import Issued
    from gateway.client.signer import SignedRequest
    from gateway.model import VerifiedRequest

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ORIGIN = "https://passerelle.test"


class FixedSigners:
    """ports.Signers over a few certificates."""

    def __init__(self, known: dict[str, tuple[str, Issued]]) -> None:
        self._known = known

    def certificates(self, party: str) -> tuple[bytes, ...]:
        return tuple(issued.der for name, issued in self._known.values() if name == party)

    def signer(self, keyid: str, at: datetime) -> Signer:  # noqa: ARG002  the port's; these never expire
        if keyid not in self._known:
            raise Refusal(Code.KEY_UNKNOWN, component="keyid")
        party, issued = self._known[keyid]
        return Signer(party, issued.der, prove(issued.der))


@dataclass(frozen=True)
class Bench:
    """A verifier, and the keys that it knows: three of the ministry, one of the cooperative."""

    verifier: RequestVerifier
    draft: Draft
    other: Issued
    keys: dict[str, Issued]

    def received(self, request: SignedRequest, **changes: object) -> Received:
        given: dict[str, object] = {
            "exchange_id": UUID(int=4),
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body,
            "tls_certificate": b"",
            "at": NOW,
        }
        return Received(**(given | changes))  # type: ignore[arg-type]  # a test's shorthand

    def verify(self, request: SignedRequest, **changes: object) -> VerifiedRequest:
        return self.verifier.verify(self.received(request, **changes), Party("ministry", prove(b"tls")))

    def signature(self, request: SignedRequest, **changes: object) -> RequestSignature:
        signature = self.verify(request, **changes).signature
        assert isinstance(signature, RequestSignature)
        return signature

    def refusal(self, request: SignedRequest, **changes: object) -> Refusal:
        with pytest.raises(Refusal) as refused:
            self.verify(request, **changes)
        return refused.value


@pytest.fixture(scope="session")
def bench() -> Bench:
    authority = DevAuthority("test", NOW)
    keys = {
        "ecdsa-p256-sha256": authority.issue(Profile.SIGNING, ["ministry"]),
        "ed25519": authority.issue(Profile.SIGNING, ["ministry"], key=ed25519.Ed25519PrivateKey.generate()),
        "rsa-pss-sha512": authority.issue(Profile.SIGNING, ["ministry"], key=rsa.generate_private_key(65537, 3072)),
        "rsa-2048": authority.issue(Profile.SIGNING, ["ministry"], key=rsa.generate_private_key(65537, 2048)),
        "secp384r1": authority.issue(Profile.SIGNING, ["ministry"], key=ec.generate_private_key(ec.SECP384R1())),
    }
    other = authority.issue(Profile.SIGNING, ["cooperative"])
    known = {keyid(issued.der): ("ministry", issued) for issued in keys.values()}
    known[keyid(other.der)] = ("cooperative", other)
    draft = Draft(keys["ecdsa-p256-sha256"], ORIGIN, int(NOW.timestamp()))
    return Bench(RequestVerifier(ORIGIN, FixedSigners(known)), draft, other, keys)
