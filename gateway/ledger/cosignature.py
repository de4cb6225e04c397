r"""Cosignatures: a witness saw this checkpoint at this time, and it extends all that it saw before (C2SP, Ed25519).

A line is ``— name base64(key id || uint64 time || signature)``; the signature covers
``cosignature/v1\ntime <seconds>\n`` and the checkpoint's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.ledger.encoding import FormatError, decode64, encode64
from gateway.ledger.merkle import HASH_SIZE
from gateway.ledger.note import DASH, check_name, parse_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.ledger.note import Checkpoint, NoteSignature

ALGORITHM_COSIGNATURE = b"\x04"
_ID_SIZE = 4
_TIME_SIZE = 8
_SIZE = _TIME_SIZE + 64
_LATEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's public key and the name that its lines begin with."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || 0x04 || public key), the first four bytes: never that of a log's key."""
        return sha256(self.name.encode() + b"\n" + ALGORITHM_COSIGNATURE + self.public).digest()[:_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The text form ``name+hex(key id)+base64(0x04 || public key)``."""
        return f"{self.name}+{self.key_id.hex()}+{encode64(ALGORITHM_COSIGNATURE + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> WitnessKey:
        """The key behind its text form; raises FormatError for any other text, a log's vkey among them."""
        name, _, rest = vkey.strip().partition("+")
        _, _, encoded = rest.partition("+")
        raw = decode64(encoded)
        key = cls(check_name(name), raw[1:])
        if raw[:1] != ALGORITHM_COSIGNATURE or len(key.public) != HASH_SIZE or key.vkey != vkey.strip():
            raise FormatError("vkey of a witness malformed")
        return key

    def wrote(self, line: NoteSignature) -> bool:
        """Whether a line says that it is this witness's; nothing is verified."""
        return (line.name, line.key_id) == (self.name, self.key_id)


def cosign(checkpoint: Checkpoint, key: WitnessKey, at: int, sign: Callable[[bytes], bytes]) -> bytes:
    """The signature line, with its newline; ``at`` is in seconds since 1970, ``sign`` Ed25519."""
    signature = at.to_bytes(_TIME_SIZE) + sign(_message(checkpoint, at))
    return f"{DASH}{key.name} {encode64(key.key_id + signature)}\n".encode()


def verify_cosignature(checkpoint: Checkpoint, line: NoteSignature, key: WitnessKey) -> int:
    """When the witness saw the checkpoint, in seconds since 1970; raises FormatError unless it wrote this line."""
    if not key.wrote(line):
        raise FormatError("cosignature of another witness")
    if len(line.signature) != _SIZE:
        raise FormatError("cosignature of the wrong length")
    at = int.from_bytes(line.signature[:_TIME_SIZE])
    if at > _LATEST:
        raise FormatError("cosignature's time out of range")
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public)
        public.verify(line.signature[_TIME_SIZE:], _message(checkpoint, at))
    except InvalidSignature as error:
        raise FormatError("cosignature does not hold") from error
    return at


def cosigned_by(checkpoint: Checkpoint, lines: Iterable[NoteSignature], keys: Iterable[WitnessKey]) -> frozenset[str]:
    """The names of the witnesses, of these, whose cosignature of the checkpoint holds; other lines do not count."""
    found = set()
    kept = list(lines)
    for key in keys:
        for line in kept:
            if key.wrote(line):
                try:
                    verify_cosignature(checkpoint, line, key)
                except FormatError:
                    continue
                found.add(key.name)
    return frozenset(found)


def read_cosignatures(text: bytes) -> tuple[NoteSignature, ...]:
    """The lines that a witness answered with; raises FormatError unless each is a signature line."""
    try:
        rows = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError("cosignatures not UTF-8") from error
    if rows.pop() or not rows:
        raise FormatError("cosignatures not lines")
    return tuple(parse_signature(row) for row in rows)


def _message(checkpoint: Checkpoint, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n".encode() + checkpoint.text
