"""Officers' public keys, as a bundle writes them, and the one check of a signature under them (P1).

The algorithm comes from the key, never from what was signed: 32 raw bytes are Ed25519, a SubjectPublicKeyInfo is P-256,
since a hardware token may know nothing else.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

OfficerKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

SIGNATURE_SIZE = 64
_HALF = 32
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

_FIELD = 2**255 - 19
_SIGN_BIT = 2**255
#: y of an eighth root of the neutral element on edwards25519; the other one is its opposite.
_EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
#: Under a key of small order anybody can sign anything ("Taming the many EdDSAs", Chalkias et al., 2020, table 1).
_SMALL_ORDER = frozenset({0, 1, _EIGHTH, _FIELD - _EIGHTH, _FIELD - 1, _FIELD, _FIELD + 1})


def decode64(text: str) -> bytes:
    """The bytes behind canonical standard base64; raises ValueError for every other spelling of them."""
    try:
        data = b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("base64 malformed") from None
    # Python takes `AB==` for `AA==`: only the one spelling that we would write is right
    if b64encode(data).decode("ascii") != text:
        raise ValueError("base64 not canonical")
    return data


def load_officer_key(text: str) -> OfficerKey:
    """The key behind base64 of 32 raw bytes (Ed25519) or of SPKI DER (P-256).

    Raises ValueError for everything else, for a key of small order, and for DER that we would not write ourselves.
    """
    data = decode64(text)
    if len(data) == _HALF:
        if int.from_bytes(data, "little") % _SIGN_BIT in _SMALL_ORDER:
            raise ValueError("an Ed25519 key of small order")
        return ed25519.Ed25519PublicKey.from_public_bytes(data)
    try:
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("neither an Ed25519 key nor a P-256 one") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("neither an Ed25519 key nor a P-256 one")
    if key.public_bytes(*_SPKI) != data:
        raise ValueError("DER not canonical")
    return key


def officer_key_text(key: OfficerKey) -> str:
    """How a bundle writes a public key."""
    raw = key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else key.public_bytes(*_SPKI)
    return b64encode(raw).decode("ascii")


def holds(key: OfficerKey, signature: bytes, data: bytes) -> bool:
    """Whether the signature (64 bytes; for P-256 raw r||s with the low s, SHA-256) over ``data`` is by this key."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
            return True
        r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
        if s > _P256_ORDER // 2:
            return False  # of the two values that verify only one is right: an approval has one form
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
