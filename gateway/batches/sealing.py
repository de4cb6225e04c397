"""What the tables keep of a line, under keys that the keystore gives for its batch (DESIGN S7, N1)."""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.batches.batch import OUTCOMES
from gateway.errors import PasserelleError

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.batches.batch import Record
    from gateway.ports import Keystore, Randomness

_NONCE_BYTES = 12
#: With a NUL before it: the same key's other texts begin with a party's name (nirec.subjects).
_OUTCOME, _RECORD = b"\0batch outcome\0", b"\0batch record\0"
_BATCHES = 64


class Sealing:
    """Seals outcomes, and makes the code by which a record is known again."""

    def __init__(self, keystore: Keystore, key: str, randomness: Randomness) -> None:
        """``key`` names the keystore's key; a batch's own are made of it and of the batch's id, and kept in memory."""
        self._randomness = randomness
        self._outcome_key = lru_cache(_BATCHES)(lambda batch: keystore.mac(key, _OUTCOME + batch.bytes))
        self._record_key = lru_cache(_BATCHES)(lambda batch: keystore.mac(key, _RECORD + batch.bytes))

    def seal(self, batch: UUID, line: int, outcome: str) -> bytes:
        """A random nonce and AES-256-GCM of the outcome, its place as associated data; all are of one length."""
        nonce = self._randomness.bytes(_NONCE_BYTES)
        content = bytes([OUTCOMES.index(outcome)])
        return nonce + AESGCM(self._outcome_key(batch)).encrypt(nonce, content, _place(batch, line))

    def open(self, batch: UUID, line: int, sealed: bytes) -> str:
        """The outcome; raises PasserelleError for a row that was altered, or belongs to another line."""
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return OUTCOMES[AESGCM(self._outcome_key(batch)).decrypt(nonce, content, _place(batch, line))[0]]
        except (InvalidTag, ValueError, IndexError):
            raise PasserelleError("a batch's row does not open") from None

    def code(self, batch: UUID, record: Record) -> bytes:
        """HMAC-SHA-256 of the record, 32 bytes; nobody finds a NIREC behind it without the keystore."""
        return hmac.digest(self._record_key(batch), record.canonical(), sha256)


def _place(batch: UUID, line: int) -> bytes:
    return batch.bytes + line.to_bytes(4)
