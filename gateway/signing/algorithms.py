"""The signature algorithms that are accepted, and the one check of a signature under a certificate (S5).

The algorithm is a property of the key, never of the message: nobody can talk a key into another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

if TYPE_CHECKING:
    from cryptography import x509

ECDSA_P256 = "ecdsa-p256-sha256"
ED25519 = "ed25519"
RSA_PSS = "rsa-pss-sha512"
RSA_PKCS1 = "rsa-v1_5-sha256"

_HALF = 32
_SMALLEST_RSA = 3072
_ECDSA = ec.ECDSA(hashes.SHA256())
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)


def algorithm_of(certificate: x509.Certificate, *, soap: bool = False) -> str | None:
    """The name (RFC 9421, section 3.3) of the algorithm this key signs with; None when it has no place here.

    An RSA key signs RSASSA-PSS on REST and PKCS #1 v1.5 on SOAP, where mainstream stacks know nothing else (S4).
    """
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return ECDSA_P256
    if isinstance(key, ed25519.Ed25519PublicKey) and not soap:
        return ED25519
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA:
        return RSA_PKCS1 if soap else RSA_PSS
    return None


def verify(certificate: x509.Certificate, algorithm: str, signature: bytes, data: bytes) -> bool:
    """Whether ``signature`` (raw r||s for ECDSA) over ``data`` holds under the certificate's key."""
    key = certificate.public_key()
    try:
        match key:
            case ec.EllipticCurvePublicKey() if algorithm == ECDSA_P256 and len(signature) == 2 * _HALF:
                r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
                key.verify(encode_dss_signature(r, s), data, _ECDSA)
            case ed25519.Ed25519PublicKey() if algorithm == ED25519:
                key.verify(signature, data)
            case rsa.RSAPublicKey() if algorithm == RSA_PSS:
                key.verify(signature, data, _PSS, hashes.SHA512())
            case rsa.RSAPublicKey() if algorithm == RSA_PKCS1:
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case _:
                return False
    except InvalidSignature:
        return False
    return True
