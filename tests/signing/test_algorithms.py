"""The algorithm is the key's, never the message's (S5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.signing.algorithms import ECDSA_P256, ED25519, RSA_PKCS1, RSA_PSS, algorithm_of, verify
from tests.signing.drafts import raw_signature

if TYPE_CHECKING:
    from tests.signing.conftest import Bench


@pytest.mark.parametrize(
    ("key", "rest", "soap"),
    [
        ("ecdsa-p256-sha256", ECDSA_P256, ECDSA_P256),
        ("ed25519", ED25519, None),
        ("rsa-pss-sha512", RSA_PSS, RSA_PKCS1),
        ("rsa-2048", None, None),
        ("secp384r1", None, None),
    ],
)
def test_the_algorithm_of_a_key(bench: Bench, key: str, rest: str | None, soap: str | None) -> None:
    assert algorithm_of(bench.keys[key].certificate) == rest
    assert algorithm_of(bench.keys[key].certificate, soap=True) == soap


@pytest.mark.parametrize("key", [ECDSA_P256, ED25519, RSA_PSS])
@pytest.mark.parametrize("claimed", [ECDSA_P256, ED25519, RSA_PSS, RSA_PKCS1, "hmac-sha256", ""])
def test_a_signature_holds_under_its_own_algorithm_only(bench: Bench, key: str, claimed: str) -> None:
    issued = bench.keys[key]
    signature = raw_signature(issued, b"data")
    assert verify(issued.certificate, claimed, signature, b"data") is (claimed == key)
    assert not verify(issued.certificate, key, signature, b"other")
    assert not verify(issued.certificate, key, signature[:-1], b"data")
    assert not verify(issued.certificate, key, b"", b"data")


@pytest.mark.parametrize("length", [32, 20, 0], ids=["short_salt", "shorter", "none"])
def test_pss_with_another_salt_length(bench: Bench, length: int) -> None:
    issued = bench.keys[RSA_PSS]
    assert isinstance(issued.key, rsa.RSAPrivateKey)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=length)
    assert not verify(issued.certificate, RSA_PSS, issued.key.sign(b"data", pss, hashes.SHA512()), b"data")


def test_a_signature_of_zeros(bench: Bench) -> None:
    assert not verify(bench.keys[ECDSA_P256].certificate, ECDSA_P256, bytes(64), b"data")
