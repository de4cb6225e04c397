"""What may stand once in a whole log: exchange ids, the nonces of a key, MessageIDs; each as a row to be sorted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING

from gateway.audit.spill import sorted_rows
from gateway.audit.verdict import Fault

if TYPE_CHECKING:
    from uuid import UUID

#: How long the gateway remembers a nonce (guard): the same one again within that time is a replay.
NONCE_KEPT = timedelta(minutes=10)
# digest of what is told apart (its first 16 bytes), what it is, index of the leaf, microseconds since 1970
_ROW = Struct(">16sBQq")
ROW_SIZE = _ROW.size
_ID, _NONCE, _MESSAGE = range(3)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULTS = {
    _ID: (Fault.LEAF_REPEATED, "the exchange id stands twice"),
    _NONCE: (Fault.REPLAYED, "the key's nonce stands in another exchange"),
    _MESSAGE: (Fault.REPLAYED, "a MessageID stands in another message"),
}


@dataclass(frozen=True, slots=True)
class Repeated:
    """Something that stands a second time, at the leaf of this index."""

    index: int
    fault: Fault
    detail: str


def id_row(index: int, exchange_id: UUID, *, exchange: bool) -> bytes:
    """A leaf's id: an exchange is answered or refused, never both; other kinds have ids of their own."""
    return _row(_ID, index, b"\x01" if exchange else b"\x00", exchange_id.bytes)


def nonce_row(index: int, key: str, nonce: str, at: datetime) -> bytes:
    """A nonce claimed under a key, by the certificate's hex SHA-256, at that moment."""
    return _row(_NONCE, index, bytes.fromhex(key), nonce.encode(), (at - _EPOCH) // _MICROSECOND)


def message_row(index: int, message_id: str) -> bytes:
    """A MessageID of ours."""
    return _row(_MESSAGE, index, b"", message_id.encode())


def find_repeated(rows: bytes) -> list[Repeated]:
    """All that stands twice among these rows; of one thing, every time but the first of the log."""
    found = []
    for before, after in pairwise(map(_ROW.unpack, sorted_rows(rows, ROW_SIZE))):
        digest, what, index, at = after
        if before[:2] != (digest, what):
            continue
        if what == _NONCE and abs(at - before[3]) * _MICROSECOND >= NONCE_KEPT:
            continue
        found.append(Repeated(index, *_FAULTS[what]))
    return found


def _row(what: int, index: int, scope: bytes, name: bytes, at: int = 0) -> bytes:
    digest = sha256(bytes([what, len(scope)]) + scope + name).digest()
    return _ROW.pack(digest[:16], what, index, at)
