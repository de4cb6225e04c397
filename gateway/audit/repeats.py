"""What may stand once in a whole log: exchange ids, the nonces of a key, MessageIDs; each as a row to be sorted.

And what must stand there for something else to rest on: the exchange by which a notice was accepted, of the same child.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING

from gateway.audit.spill import sorted_rows
from gateway.audit.verdict import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

#: How long the gateway remembers a nonce (guard): the same one again within that time is a replay.
NONCE_KEPT = timedelta(minutes=10)
# digest of what is told apart (its first 16 bytes), what it is, index of the leaf, microseconds since 1970 or a child
_ROW = Struct(">16sBQq")
ROW_SIZE = _ROW.size
# in this order: of one digest, a notice comes before what was told of it
_ID, _NONCE, _MESSAGE, _NOTICE, _TOLD = range(5)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULTS = {
    _ID: (Fault.LEAF_REPEATED, "the exchange id stands twice"),
    _NONCE: (Fault.REPLAYED, "the key's nonce stands in another exchange"),
    _MESSAGE: (Fault.REPLAYED, "a MessageID stands in another message"),
    _TOLD: (Fault.EVIDENCE_DIFFERS, "delivers what no exchange of the log let wait"),
}
_OTHER_CHILD = (Fault.SUBJECTS_DIFFER, "tells of another child than the notice that it delivers")
#: The child of a notice whose evidence stays sealed.
_SEALED_CHILD = 0
_CHILD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Repeated:
    """Something that stands a second time, or without what it rests on, at the leaf of this index."""

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


def notice_row(index: int, exchange_id: UUID, ledger: str | None) -> bytes:
    """An exchange that let a notice wait, of this child by the ledger's hash.

    None where that may be true, since its evidence stays sealed.
    """
    return _row(_NOTICE, index, b"", exchange_id.bytes, _SEALED_CHILD if ledger is None else child(ledger))


def told_row(index: int, exchange_id: UUID, ledger: str) -> bytes:
    """A delivery of the notice that this exchange let wait, to somebody who is told of this child."""
    digest, *_ = _ROW.unpack(notice_row(index, exchange_id, ledger))
    return _ROW.pack(digest, _TOLD, index, child(ledger))


def child(ledger: str) -> int:
    """A subject as these rows name it, from the ledger's hash of it."""
    return int.from_bytes(bytes.fromhex(ledger)[:_CHILD_BYTES], signed=True)


def find_repeated(rows: bytes, merged: Mapping[int, int]) -> list[Repeated]:
    """All that stands twice among these rows, each time but the first of the log; and deliveries of no such notice.

    ``merged``: whoever is of a merge, by one name for all who are one child by now.
    """
    found, before, notice = [], (b"", _NOTICE, 0, 0), (b"", _NOTICE, 0, 0)
    for row in map(_ROW.unpack, sorted_rows(rows, ROW_SIZE)):
        digest, what, index, at = row
        again = before[:2] == (digest, what) and what != _NOTICE
        wrong = before[0] != digest if what == _TOLD else again
        if what == _NONCE and abs(at - before[3]) * _MICROSECOND >= NONCE_KEPT:
            wrong = False
        if wrong:
            found.append(Repeated(index, *_FAULTS[what]))
        elif what == _TOLD and notice[3] != _SEALED_CHILD and merged.get(at, at) != merged.get(notice[3], notice[3]):
            found.append(Repeated(index, *_OTHER_CHILD))
        before, notice = row, row if what == _NOTICE else notice
    return found


def _row(what: int, index: int, scope: bytes, name: bytes, at: int = 0) -> bytes:
    digest = sha256(bytes([what, len(scope)]) + scope + name).digest()
    return _ROW.pack(digest[:16], what, index, at)
