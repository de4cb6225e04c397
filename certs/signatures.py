"""Signatures of authorities over lists and answers: which are strong enough, and whether they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_STRONG_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_WITHOUT_HASH = (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
_LIST_SIGNERS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_FAILURES = (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError)


def is_strong(algorithm: hashes.HashAlgorithm | None, oid: ObjectIdentifier) -> bool:
    """Whether a signature algorithm of X.509 hashes with SHA-256 or better, or is one that hashes by itself."""
    return oid in _WITHOUT_HASH if algorithm is None else isinstance(algorithm, _STRONG_HASHES)


def list_holds(crl: x509.CertificateRevocationList, key: PublicKeyTypes) -> bool:
    """Whether a revocation list was signed by this key."""
    if not isinstance(key, _LIST_SIGNERS):
        return False
    try:
        return crl.is_signature_valid(key)
    except _FAILURES:
        return False


def holds(
    key: PublicKeyTypes, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm | None, oid: ObjectIdentifier
) -> bool:
    """Whether a signature in X.509's form holds; RSA is PKCS #1 v1.5, as responders sign."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(signature, data, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None and oid != SignatureAlgorithmOID.RSASSA_PSS:
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ed25519.Ed25519PublicKey) and oid == SignatureAlgorithmOID.ED25519:
            key.verify(signature, data)
        else:
            return False
    except _FAILURES:
        return False
    return True
