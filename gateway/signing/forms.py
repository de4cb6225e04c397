"""Other forms that a signature can have by mistake: a true signature, written or made as another profile asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography import x509

_HALF = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_PSS_64 = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
_PSS_ANY = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=padding.PSS.AUTO)
_PSS_ANY_256 = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)


def form_of(certificate: x509.Certificate, signature: bytes) -> Mapping[str, Callable[[bytes], bool]]:
    """By a word for the form, whether the signature holds over a base in that form; ``right`` is the right one."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _ecdsa(key, signature)
    if isinstance(key, rsa.RSAPublicKey):
        return {
            "right": _checked(lambda base: key.verify(signature, base, _PSS_64, hashes.SHA512())),
            "pss_salt": _checked(lambda base: key.verify(signature, base, _PSS_ANY, hashes.SHA512())),
            "pss_sha256": _checked(lambda base: key.verify(signature, base, _PSS_ANY_256, hashes.SHA256())),
            "pkcs1": _checked(lambda base: key.verify(signature, base, padding.PKCS1v15(), hashes.SHA256())),
            "pkcs1_sha512": _checked(lambda base: key.verify(signature, base, padding.PKCS1v15(), hashes.SHA512())),
        }
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"right": _checked(lambda base: key.verify(signature, base))}
    return {}


def high_s(certificate: x509.Certificate, signature: bytes) -> bool:
    """Whether an ECDSA signature has the greater of its two values of s: ours never do, callers' may."""
    is_ecdsa = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) and len(signature) == 2 * _HALF
    return is_ecdsa and int.from_bytes(signature[_HALF:]) > _ORDER // 2


def _ecdsa(key: ec.EllipticCurvePublicKey, signature: bytes) -> Mapping[str, Callable[[bytes], bool]]:
    forms = {"der": _checked(lambda base: key.verify(signature, base, ec.ECDSA(hashes.SHA256())))}
    if len(signature) == 2 * _HALF:
        r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
        reversed_r, reversed_s = (int.from_bytes(half[::-1]) for half in (signature[:_HALF], signature[_HALF:]))
        right, swapped = encode_dss_signature(r, s), encode_dss_signature(s, r)
        little = encode_dss_signature(reversed_r, reversed_s)
        forms |= {
            "right": _checked(lambda base: key.verify(right, base, ec.ECDSA(hashes.SHA256()))),
            "sha512": _checked(lambda base: key.verify(right, base, ec.ECDSA(hashes.SHA512()))),
            "swapped": _checked(lambda base: key.verify(swapped, base, ec.ECDSA(hashes.SHA256()))),
            "little_endian": _checked(lambda base: key.verify(little, base, ec.ECDSA(hashes.SHA256()))),
        }
    return forms


def _checked(check: Callable[[bytes], None]) -> Callable[[bytes], bool]:
    def holds(base: bytes) -> bool:
        try:
            check(base)
        except (InvalidSignature, ValueError):
            return False
        return True

    return holds
