"""The key changes while an answer is made: evidence and signature name the same certificate all the same."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.keys.raw import raw_low_s
from gateway.model import AnswerToSign, CertificateProof, Content, Received
from gateway.signing.algorithms import ECDSA_P256, verify
from gateway.signing.answer import RestSigning, keyid_of
from gateway.signing.answer_key import AnswerKey
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from certs.authority import Issued

ORIGIN = "https://gateway.example"


class TwoKeys:
    """ports.Keystore of two generations of the signing key."""

    def __init__(self) -> None:
        authority = DevAuthority("gateway", SystemClock().now())
        names = ("signing", "signing-1")
        self.issued: dict[str, Issued] = {name: authority.issue(Profile.SIGNING, ["gateway"]) for name in names}

    def sign(self, key_id: str, data: bytes) -> bytes:
        key = self.issued[key_id].key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return raw_low_s(key.sign(data, ec.ECDSA(hashes.SHA256())))

    def mac(self, key_id: str, data: bytes) -> bytes:
        raise NotImplementedError(key_id, data)

    def certificate(self, key_id: str) -> bytes:
        return self.issued[key_id].der


def prove(der: bytes) -> CertificateProof:
    return CertificateProof(sha256(der).hexdigest(), (), ())


@pytest.mark.parametrize("named", [True, False], ids=["with_evidence", "without"])
def test_an_answer_is_signed_under_the_certificate_that_its_evidence_names(*, named: bool) -> None:
    keys, clock, in_use = TwoKeys(), SystemClock(), ["signing"]
    nothing: Any = None
    signing = RestSigning(nothing, AnswerKey(keys, prove, lambda: in_use[0]), ORIGIN, clock)
    evidence = signing.signing_key()
    in_use[0] = "signing-1"
    received = Received(SystemRandomness().uuid(), "POST", "/v1/echo", {}, b"", b"", clock.now())
    content = Content(200, "application/json", b"{}")
    answer = AnswerToSign(
        content, "sha-256=:AA==:", "id", "leaf", "by", received, None, signer=evidence.sha256 if named else None
    )
    signed = signing.sign_answer(answer)
    issued = keys.issued["signing" if named else "signing-1"]
    assert f'keyid="{keyid_of(sha256(issued.der).hexdigest())}"' in dict(signed.released.headers)["Signature-Input"]
    certificate = x509.load_der_x509_certificate(issued.der)
    assert verify(certificate, ECDSA_P256, signed.signature, signed.base)
    assert signing.signing_key().sha256 == sha256(keys.issued["signing-1"].der).hexdigest()
