"""A note of one disclosure as it lies in the table: found and opened with the child's own secret, and otherwise mute.

From that secret, which the keystore's key makes of the subject (``subject_secret`` in gateway.nirec), come the look-up
and the key: HMAC-SHA-256 of a word each. Sealed: AES-256-GCM, a random nonce of 12 bytes, the look-up as associated
data. Within: a JSON array of the note's values in their order, filled up with spaces, so that its length does not tell
an operation.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, fields

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
_LOOKUP, _KEY = b"passerelle family look-up", b"passerelle family key"
_STEP = 384


@dataclass(frozen=True, slots=True)
class Note:
    """One disclosure.

    Attributes:
        at: when the request came, RFC 3339, UTC, microseconds.
        party: who asked and received.
        sent_to: the system that the request's own identifier or personal data went to; empty where it held none.
        policy: hex SHA-256 of the bundle whose agreement allowed it, by which its words are found again.
        fields: the names of the fields disclosed, sorted.
    """

    at: str
    exchange_id: str
    party: str
    sent_to: str
    operation: str
    purpose: str
    agreement: str
    policy: str
    fields: tuple[str, ...]


_VALUES = tuple(one.name for one in fields(Note))


@dataclass(frozen=True, slots=True)
class SealedNote:
    """A note at rest."""

    lookup: bytes
    nonce: bytes
    sealed: bytes


def lookup_of(secret: bytes) -> bytes:
    """The 32 bytes under which the notes of one child lie."""
    return hmac.digest(secret, _LOOKUP, "sha256")


def seal(note: Note, secret: bytes, nonce: bytes) -> SealedNote:
    """The note at rest; ``nonce`` is fresh."""
    values = [getattr(note, name) for name in _VALUES]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // _STEP) * _STEP)
    lookup = lookup_of(secret)
    return SealedNote(lookup, nonce, AESGCM(_key(secret)).encrypt(nonce, text, lookup))


def unseal(sealed: SealedNote, secret: bytes) -> Note:
    """The note; raises cryptography's InvalidTag where somebody has changed it."""
    values = json.loads(AESGCM(_key(secret)).decrypt(sealed.nonce, sealed.sealed, sealed.lookup))
    named = dict(zip(_VALUES, values, strict=True))
    return Note(**{**named, "fields": tuple(named["fields"])})


def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, _KEY, "sha256")
