"""ECDSA signatures in their one form: raw r||s, with the low s (S3)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HALF = 32


def raw_low_s(der: bytes) -> bytes:
    """A DER signature as 64 bytes; of the two values of s that verify, the lower one."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_HALF) + min(s, P256_ORDER - s).to_bytes(_HALF)


def low_s(raw: bytes) -> bytes:
    """The same for a signature that is raw already, as PKCS #11 gives it; raises ValueError unless it has 64 bytes."""
    if len(raw) != 2 * _HALF:
        raise ValueError("no P-256 signature")
    s = int.from_bytes(raw[_HALF:])
    return raw[:_HALF] + min(s, P256_ORDER - s).to_bytes(_HALF)


def to_der(raw: bytes) -> bytes:
    """A raw signature in DER, as X.509 wants it."""
    return encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
