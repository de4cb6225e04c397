"""What no library makes any more: signatures over SHA-1, and bytes that are no DER, under a true authority's key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from certs.authority import Issued


def signed_over_sha1(der: bytes, issuer: Issued) -> bytes:
    """The certificate, signed anew with ECDSA and SHA-1, as both of its algorithm fields say."""
    certificate = asn1_x509.Certificate.load(der)
    certificate["tbs_certificate"]["signature"] = {"algorithm": "sha1_ecdsa"}
    certificate["signature_algorithm"] = {"algorithm": "sha1_ecdsa"}
    return _signed(certificate, issuer, hashes.SHA1())  # noqa: S303  the attack


def resigned(der: bytes, issuer: Issued, old: bytes, new: bytes) -> bytes:
    """The certificate with other bytes, of the same length, in one place; signed anew over just these bytes."""
    assert len(old) == len(new)
    assert der.count(old) == 1
    certificate = asn1_x509.Certificate.load(der.replace(old, new))
    tbs = certificate["tbs_certificate"].dump()
    assert new in tbs
    return _wrapped(tbs, certificate["signature_algorithm"].dump(), _signature(issuer, tbs, hashes.SHA256()))


def _signed(certificate: asn1_x509.Certificate, issuer: Issued, algorithm: hashes.HashAlgorithm) -> bytes:
    tbs = certificate["tbs_certificate"].dump(force=True)
    return _wrapped(tbs, certificate["signature_algorithm"].dump(), _signature(issuer, tbs, algorithm))


def _signature(issuer: Issued, data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    return issuer.key.sign(data, ec.ECDSA(algorithm))


def _wrapped(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    content = tbs + algorithm + b"\x03" + _length(len(signature) + 1) + b"\0" + signature
    return b"\x30" + _length(len(content)) + content


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    digits = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes([0x80 | len(digits)]) + digits
