"""The record that stands behind a leaf, plain and sealed (DESIGN S3, L2)."""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import binding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_SIZE = 32
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one event.

    Attributes:
        salt32: 32 random bytes, the key of the leaf's binding.
        evidence: canonical JSON.
        answer_base: the signature base of the answer; empty in kinds that answer nobody.
        answer_signature: the raw signature over it; empty like it.
    """

    salt32: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    answer_base: bytes = field(default=b"", repr=False)
    answer_signature: bytes = field(default=b"", repr=False)

    def pack(self) -> bytes:
        """salt32, then evidence, base and signature, each after its length as uint32."""
        parts = [self.salt32]
        for part in (self.evidence, self.answer_base, self.answer_signature):
            parts += (_LENGTH.pack(len(part)), part)
        return b"".join(parts)

    def check_binding(self, expected: bytes) -> None:
        """Returns if a leaf with this binding stands for this record; raises FormatError otherwise."""
        if not hmac.compare_digest(binding(self.salt32, self.evidence), expected):
            raise FormatError("record is not the one that its leaf binds")


def unpack_record(data: bytes) -> Record:
    """The record in its plain form; raises FormatError when a byte is missing or left over."""
    parts = []
    at = SALT_SIZE
    for _ in range(3):
        start = at + _LENGTH.size
        if start > len(data):
            raise FormatError("record cut off")
        at = start + _LENGTH.unpack_from(data, at)[0]
        parts.append(data[start:at])
    if at != len(data):
        raise FormatError("record cut off, or bytes left over")
    return Record(data[:SALT_SIZE], *parts)


def seal_record(key: AESGCM, leaf: bytes, counter: int, plain: bytes) -> bytes:
    """AES-256-GCM ciphertext and tag; a (key, counter) pair must never seal two records."""
    return key.encrypt(_nonce(counter), plain, leaf)


def open_record(key: AESGCM, leaf: bytes, counter: int, sealed: bytes) -> bytes:
    """The plain form; raises FormatError when key, leaf, counter or bytes are not those of the sealing."""
    try:
        return key.decrypt(_nonce(counter), sealed, leaf)
    except (InvalidTag, ValueError) as error:
        raise FormatError("record does not open") from error


def _nonce(counter: int) -> bytes:
    return b"\x00\x00\x00\x00" + counter.to_bytes(8, "big")
