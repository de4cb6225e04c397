r"""Signed checkpoints: C2SP signed-note and tlog-checkpoint, with Ed25519 keys.

A note is ``origin\nsize\nbase64(root)\n``, a blank line, and lines ``— name base64(key id || signature)``.
The signature covers the text up to and with the newline before the blank line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.ledger.encoding import FormatError, decode64, encode64
from gateway.ledger.merkle import HASH_SIZE

if TYPE_CHECKING:
    from gateway.ports import Keystore

LOG_KEY = "log"
ALGORITHM_ED25519 = b"\x01"
_ID_SIZE = 4
_MAX_SIZE = (1 << 63) - 1
_MOST_DIGITS = len(str(_MAX_SIZE))
DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log's public key and its name, which is the checkpoints' origin."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || 0x01 || public key), the first four bytes."""
        return sha256(self.name.encode() + b"\n" + ALGORITHM_ED25519 + self.public).digest()[:_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The text form ``name+hex(key id)+base64(0x01 || public key)``."""
        return f"{self.name}+{self.key_id.hex()}+{encode64(ALGORITHM_ED25519 + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> LogKey:
        """The key behind its text form; raises FormatError when it is not canonical or not Ed25519."""
        name, _, rest = vkey.strip().partition("+")
        _, _, encoded = rest.partition("+")
        raw = decode64(encoded)
        key = cls(check_name(name), raw[1:])
        if raw[:1] != ALGORITHM_ED25519 or len(key.public) != HASH_SIZE or key.vkey != vkey.strip():
            raise FormatError("vkey malformed")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says that it is: so many leaves under this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The bytes that signatures cover."""
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n".encode()


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A checkpoint as parsed, none of its signatures verified yet."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    def verify(self, key: LogKey) -> Checkpoint:
        """The checkpoint, if this key signed it; raises FormatError if it did not, or signed something else.

        Signatures of other keys are left to the caller, who finds them in ``signatures``.
        """
        if self.checkpoint.origin != key.name:
            raise FormatError("checkpoint of another log")
        ours = [line for line in self.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
        if len(ours) != 1:
            raise FormatError("checkpoint not signed once by the log's key")
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(ours[0].signature, self.checkpoint.text)
        except InvalidSignature as error:
            raise FormatError("checkpoint's signature does not hold") from error
        return self.checkpoint


def sign_checkpoint(checkpoint: Checkpoint, key: LogKey, keystore: Keystore) -> bytes:
    """The signed note; raises KeystoreError."""
    signature = keystore.sign(LOG_KEY, checkpoint.text)
    return checkpoint.text + f"\n{DASH}{key.name} {encode64(key.key_id + signature)}\n".encode()


def parse_note(note: bytes) -> SignedNote:
    """The checkpoint and its signature lines; raises FormatError for anything that we would not write ourselves.

    Extension lines are refused: our logs have none.
    """
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("checkpoint not UTF-8") from error
    body, blank, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) != 3 or not tail.endswith("\n"):  # noqa: PLR2004 - origin, size, root
        raise FormatError("checkpoint not three lines, a blank one and signatures")
    origin, size, root = lines
    checkpoint = Checkpoint(check_name(origin), _parse_size(size), decode64(root))
    if len(checkpoint.root) != HASH_SIZE:
        raise FormatError("checkpoint's root is not 32 bytes")
    return SignedNote(checkpoint, tuple(parse_signature(line) for line in tail[:-1].split("\n")))


def verify_note(note: bytes, key: LogKey) -> Checkpoint:
    """The checkpoint in a note that this key signed; raises FormatError."""
    return parse_note(note).verify(key)


def _parse_size(text: str) -> int:
    # the length first: Python reads no number of thousands of digits, and says so in an error of its own
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise FormatError("checkpoint's size malformed")
    if str(int(text)) != text or int(text) > _MAX_SIZE:
        raise FormatError("checkpoint's size malformed")
    return int(text)


def parse_signature(line: str) -> NoteSignature:
    """One signature line without its newline; raises FormatError for any other text."""
    name, space, encoded = line.removeprefix(DASH).partition(" ")
    raw = decode64(encoded)
    if not line.startswith(DASH) or not space or len(raw) <= _ID_SIZE:
        raise FormatError("signature line malformed")
    return NoteSignature(check_name(name), raw[:_ID_SIZE], raw[_ID_SIZE:])


def check_name(name: str) -> str:
    """The name, if a note's key can have it; raises FormatError.

    Not empty, no plus sign, nothing that is a space or a control character.
    """
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise FormatError("key name malformed")
    return name
