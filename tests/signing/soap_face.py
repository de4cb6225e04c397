"""Step 2 for SOAP with keys in memory: what it makes of a message, and why it refuses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.errors import Refusal
from gateway.identity.parties import keyid
from gateway.model import Party, Received
from gateway.signing.soap_http import form_of
from gateway.signing.soap_request import SoapRequestVerifier
from tests.adapters.fakes import ShiftedClock, prove
from tests.signing.conftest import ORIGIN, FixedSigners
from tests.signing.soap_drafts import SoapDraft

if TYPE_CHECKING:
    from certs.authority import Issued
    from gateway.model import VerifiedRequest
    from tests.signing.soap_drafts import SignedSoap


@dataclass(frozen=True)
class Face:
    """A verifier that knows the ministry's keys and one of the cooperative's."""

    verifier: SoapRequestVerifier
    keys: dict[str, Issued]

    @property
    def draft(self) -> SoapDraft:
        return SoapDraft(self.keys["ecdsa"], ORIGIN)

    def verify(self, request: SignedSoap, *, oversize: bool = False) -> VerifiedRequest:
        received = Received(
            exchange_id=UUID(int=4),
            method=request.method,
            target=request.target,
            headers=request.headers,
            body=request.body,
            tls_certificate=b"",
            at=ShiftedClock().now(),
            oversize=oversize,
            form=form_of(request.target, request.headers["content-type"]),
        )
        return self.verifier.verify(received, Party("ministry", prove(b"tls")))

    def refusal(self, request: SignedSoap, *, oversize: bool = False) -> Refusal:
        with pytest.raises(Refusal) as refused:
            self.verify(request, oversize=oversize)
        return refused.value


def make_face() -> Face:
    """Three keys of the ministry that may sign or may not, one of the cooperative's, and two that nobody registered."""
    authority, now = DevAuthority("ministry", ShiftedClock().now()), ShiftedClock().now()
    keys = {
        "ecdsa": authority.issue(Profile.SIGNING, ["ministry"]),
        "rsa": authority.issue(Profile.SIGNING, ["ministry"], key=rsa.generate_private_key(65537, 3072)),
        "rsa_2048": authority.issue(Profile.SIGNING, ["ministry"], key=rsa.generate_private_key(65537, 2048)),
        "secp384r1": authority.issue(Profile.SIGNING, ["ministry"], key=ec.generate_private_key(ec.SECP384R1())),
        "ed25519": authority.issue(Profile.SIGNING, ["ministry"], key=ed25519.Ed25519PrivateKey.generate()),
    }
    known = {keyid(issued.der): ("ministry", issued) for issued in keys.values()}
    keys["cooperative"] = DevAuthority("cooperative", now).issue(Profile.SIGNING, ["cooperative"])
    known[keyid(keys["cooperative"].der)] = ("cooperative", keys["cooperative"])
    keys["stranger"] = DevAuthority("stranger", now).issue(Profile.SIGNING, ["ministry"])
    keys["tls"] = authority.issue(Profile.TLS_CLIENT, ["ministry"])
    return Face(SoapRequestVerifier(ORIGIN, FixedSigners(known)), keys)
