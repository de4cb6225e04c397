"""Period keys, and a writer's data key sealed to one by HPKE (DESIGN L2; RFC 9180, hybrid ML-KEM-768 + X25519).

What is sealed apart in evidence (C5) is sealed to a key of the same form, which only officers have.

The gateway has public period keys only. Raw forms, since the library serialises no hybrid key:
public = ML-KEM-768 encapsulation key (1184 bytes) || X25519 (32);
private = ML-KEM-768 seed d || z (64 bytes) || X25519 (32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from gateway.ledger.encoding import FormatError

if TYPE_CHECKING:
    from uuid import UUID

DATA_KEY_SIZE = 32
PUBLIC_SIZE = 1184 + 32
PRIVATE_SIZE = 64 + 32
_CURVE_SIZE = 32
_APART = b"passerelle/v1/apart\n"


def new_period_key() -> tuple[bytes, bytes]:
    """A fresh key pair for one period: (private, public), both raw; from the system's generator."""
    lattice, curve = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    private = lattice.private_bytes_raw() + curve.private_bytes_raw()
    return private, lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def seal_data_key(public: bytes, data_key: bytes, writer: UUID, period: int) -> bytes:
    """HPKE encapsulation and ciphertext of a writer's 32-byte data key; raises FormatError for a malformed key."""
    return _suite().encrypt(data_key, _public_key(public), _info(writer, period))


def open_data_key(private: bytes, sealed: bytes, writer: UUID, period: int) -> bytes:
    """A writer's data key, opened by an officer or auditor; raises FormatError when it does not open."""
    data_key = _opened(private, sealed, _info(writer, period))
    if len(data_key) != DATA_KEY_SIZE:
        raise FormatError("data key not 32 bytes")
    return data_key


def seal_apart(public: bytes, message: bytes, exchange: UUID) -> bytes:
    """What was signed of a message, as HPKE encapsulation and ciphertext; raises FormatError for a malformed key."""
    return _suite().encrypt(message, _public_key(public), _APART + exchange.bytes)


def open_apart(private: bytes, sealed: bytes, exchange: UUID) -> bytes:
    """The same, opened by an officer; raises FormatError when it does not open."""
    return _opened(private, sealed, _APART + exchange.bytes)


def period_public_key(private: bytes) -> bytes:
    """The raw public key that belongs to a raw private one, by which an opening names it."""
    if len(private) != PRIVATE_SIZE:
        raise FormatError("period private key not 96 bytes")
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:-_CURVE_SIZE])
    curve = X25519PrivateKey.from_private_bytes(private[-_CURVE_SIZE:])
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _public_key(raw: bytes) -> MLKEM768X25519PublicKey:
    if len(raw) != PUBLIC_SIZE:
        raise FormatError("period public key not 1216 bytes")
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(raw[:-_CURVE_SIZE]),
            X25519PublicKey.from_public_bytes(raw[-_CURVE_SIZE:]),
        )
    except ValueError as error:
        raise FormatError("period public key malformed") from error


def _opened(private: bytes, sealed: bytes, info: bytes) -> bytes:
    if len(private) != PRIVATE_SIZE:
        raise FormatError("period private key not 96 bytes")
    key = MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(private[:-_CURVE_SIZE]),
        X25519PrivateKey.from_private_bytes(private[-_CURVE_SIZE:]),
    )
    try:
        return _suite().decrypt(sealed, key, info)
    except (InvalidTag, ValueError) as error:
        raise FormatError("data key does not open") from error


def _info(writer: UUID, period: int) -> bytes:
    return b"passerelle/v1/data-key\n" + writer.bytes + period.to_bytes(4, "big")
