"""The leaf: 105 bytes in the public tree, which bind a record without showing anything of it (DESIGN S3, L9)."""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.ledger.encoding import FormatError, parse_timestamp, period_of, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.model import LeafKind

VERSION = 1
# version, kind, period, exchange id, writer id, counter, time, binding
_FORMAT = struct.Struct(">BBI16s16sQ27s32s")
SIZE = _FORMAT.size
_UUID_VERSION, _UUID_VARIANT = 4, 0b10

KINDS: dict[LeafKind, int] = {
    "exchange": 1,
    "refusal": 2,
    "intent": 3,
    "opening": 4,
    "void": 5,
    "closing": 6,
    "genesis": 7,
    "policy": 8,
    "anchor": 9,
    "destruction": 10,
    "handover": 11,
    "delivery": 12,
}
KIND_NAMES: dict[int, LeafKind] = {number: name for name, number in KINDS.items()}
SEALED_KINDS: frozenset[LeafKind] = frozenset({"exchange", "refusal", "intent", "handover", "delivery"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf's fields.

    Attributes:
        kind: what the record is evidence of.
        exchange_id: the exchange's, or a fresh UUIDv4 for kinds that are none.
        writer: UUIDv4 of the process and period that wrote it.
        counter: the writer's, from 0; also the record's nonce.
        time: aware; its month in UTC is the leaf's period.
        binding: HMAC-SHA-256(salt32, evidence).
    """

    kind: LeafKind
    exchange_id: UUID
    writer: UUID
    counter: int
    time: datetime
    binding: bytes

    @property
    def period(self) -> int:
        """YYYYMM of the time in UTC."""
        return period_of(self.time)

    def pack(self) -> bytes:
        """The 105 bytes, version 1."""
        return _FORMAT.pack(
            VERSION,
            KINDS[self.kind],
            self.period,
            self.exchange_id.bytes,
            self.writer.bytes,
            self.counter,
            timestamp(self.time).encode("ascii"),
            self.binding,
        )


def unpack_leaf(data: bytes) -> Leaf:
    """The fields of a leaf; raises FormatError for any bytes that ``Leaf.pack`` does not write."""
    if len(data) != SIZE:
        raise FormatError("leaf not 105 bytes")
    version, kind, period, exchange_id, writer, counter, time, binding = _FORMAT.unpack(data)
    if version != VERSION or kind not in KIND_NAMES:
        raise FormatError("leaf of an unknown version or kind")
    if not (_is_uuid4(exchange_id) and _is_uuid4(writer)):
        raise FormatError("leaf's id is no UUIDv4")
    try:
        text = time.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("leaf's time is not ASCII") from error
    ids = UUID(bytes=exchange_id), UUID(bytes=writer)
    leaf = Leaf(KIND_NAMES[kind], *ids, counter, parse_timestamp(text), binding)
    if leaf.period != period:
        raise FormatError("leaf's period is not that of its time")
    return leaf


def _is_uuid4(raw: bytes) -> bool:
    """Whether the bits of version and variant are those of RFC 9562, section 5.4."""
    return raw[6] >> 4 == _UUID_VERSION and raw[8] >> 6 == _UUID_VARIANT


def binding(salt32: bytes, evidence: bytes) -> bytes:
    """HMAC-SHA-256 of the evidence under the record's own 32 random bytes."""
    return hmac.digest(salt32, evidence, "sha256")
