"""A batch, its lines and what is said of it, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

#: The operations of contracts/batches.
OPEN, VERIFY, ANSWER, GET = "batch.open", "batch.verify", "batch.answer", "batch.get"
#: What the registry says, as the contract has it; sealed as its place in here, so that all are of one length.
OUTCOMES = ("confirmed", "not_confirmed", "not_found")


@dataclass(frozen=True, slots=True)
class Batch:
    """What its party announced; it never changes, and its id is that of the key under which it was opened."""

    id: UUID
    party: str
    records: int
    rejected: int
    commitment: str
    opened: str


@dataclass(frozen=True, slots=True)
class Asking:
    """One exchange that is about to ask the registry about a line.

    Attributes:
        exchange: its id.
        at: its time, milliseconds since 1970.
        stale: whoever asked before this is not asking any more: its process was killed.
    """

    batch: UUID
    line: int
    exchange: UUID
    at: int
    stale: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A line's answer as it is at rest.

    Attributes:
        exchange: the one that has it.
        at: its time, RFC 3339 in UTC.
        record: HMAC of the record, 32 bytes.
        outcome: sealed.
    """

    line: int
    exchange: UUID
    at: str
    record: bytes = field(repr=False)
    outcome: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What is asked about one line; only in memory (N1)."""

    nirec: str = field(repr=False)
    family_name: str = field(repr=False)
    given_names: str = field(repr=False)
    birth_date: str = field(repr=False)

    def canonical(self) -> bytes:
        """Each part after its length, 4 bytes, so that two records are never alike."""
        parts = (self.nirec, self.family_name, self.given_names, self.birth_date)
        encoded = (part.encode() for part in parts)
        return b"".join(len(part).to_bytes(4) + part for part in encoded)


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp() * 1000)
