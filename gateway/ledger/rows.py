"""What goes into the ledger's tables and what comes out of them, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from gateway.change import Change


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A leaf and its record on their way into the database, and what changes with them.

    ``objects`` are hex SHA-256 of what evidence names; ``changes`` are in if the record is, and only then.
    """

    exchange_id: UUID
    kind: int
    party: str | None
    time: str
    leaf: bytes
    writer: UUID
    counter: int
    record: bytes = field(repr=False)
    objects: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf as stored; ``index`` is None until it is sequenced, ``record`` None once purged."""

    row: int
    index: int | None
    leaf: bytes
    record: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as last signed; ``checkpoint`` is empty at size 0."""

    origin: str
    size: int
    checkpoint: bytes
    published_size: int


@dataclass(frozen=True, slots=True)
class RecordedLeaf:
    """What is known of an exchange's leaf by its exchange id."""

    leaf: bytes
    time: datetime
    party: str | None
    index: int | None
