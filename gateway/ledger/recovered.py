"""What a recovery says of itself, in the leaf that it leaves: what the log has, and where it may lack (DESIGN L7).

    passerelle-recovery/v1
    origin passerelle.development
    size 1280
    root <hex>
    database 1100
    waiting 3
    since 2026-11-23T02:39:48.000000Z
    until 2026-11-23T02:52:10.000000Z
    writer <uuid> 1043 1046

A ``writer`` line for each that had not ended: the log has counters of it below the first number, the database below the
second. Whatever it wrote above both was answered and is gone, if anything was; between ``since`` and ``until``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.ledger.encoding import FormatError, parse_timestamp, timestamp

if TYPE_CHECKING:
    from datetime import datetime

FORMAT = "passerelle-recovery/v1"
#: How long an answer's leaf may be on its way into the log (Ledger-By): one from before the newest may be missing.
ON_ITS_WAY = timedelta(seconds=10)
_LARGEST = 1 << 20
_NUMBER = "0|[1-9][0-9]{0,18}"
_UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_LINES = re.compile(
    rf"{re.escape(FORMAT)}\n"
    r"origin (?P<origin>[!-~]{1,255})\n"
    r"size (?P<size>[1-9][0-9]{0,17})\n"
    r"root (?P<root>[0-9a-f]{64})\n"
    rf"database (?P<database>{_NUMBER})\n"
    rf"waiting (?P<waiting>{_NUMBER})\n"
    r"since (?P<since>[0-9TZ:.-]{27})\n"
    r"until (?P<until>[0-9TZ:.-]{27})\n"
    rf"(?P<writers>(?:writer {_UUID} (?:{_NUMBER}) (?:{_NUMBER})\n)*)"
)


@dataclass(frozen=True, slots=True)
class OpenWriter:
    """A writer that no closing leaf had ended.

    Attributes:
        writer: its id.
        published: the published log's counters of it are below this number; 0 where it has none.
        kept: the same of the records that the database alone held; 0 where it held none.
    """

    writer: UUID
    published: int
    kept: int


@dataclass(frozen=True, slots=True)
class RecoveryFacts:
    """What a recovery found.

    Attributes:
        origin: the log's name.
        size, root: of the published log, which the database was recovered to; root in hex.
        database: the size of the log that the database had known until then; 0 without any.
        waiting: records that the database alone held, and that were kept.
        since, until: within these answers may have been lost, UTC.
        writers: those that had not ended, by id.
    """

    origin: str
    size: int
    root: str
    database: int
    waiting: int
    since: datetime
    until: datetime
    writers: tuple[OpenWriter, ...]

    def document(self) -> bytes:
        """The text that the leaf keeps."""
        lines = (
            FORMAT,
            f"origin {self.origin}",
            f"size {self.size}",
            f"root {self.root}",
            f"database {self.database}",
            f"waiting {self.waiting}",
            f"since {timestamp(self.since)}",
            f"until {timestamp(self.until)}",
            *(f"writer {one.writer} {one.published} {one.kept}" for one in self.writers),
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


def read_recovery(content: bytes) -> RecoveryFacts:
    """What a document says; raises FormatError for anything that we would not write."""
    try:
        found = _LINES.fullmatch(content.decode("ascii")) if len(content) <= _LARGEST else None
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise FormatError("not the lines of a recovery")
    facts = RecoveryFacts(
        origin=found["origin"],
        size=int(found["size"]),
        root=found["root"],
        database=int(found["database"]),
        waiting=int(found["waiting"]),
        since=parse_timestamp(found["since"]),
        until=parse_timestamp(found["until"]),
        writers=tuple(_writer(line) for line in found["writers"].splitlines()),
    )
    in_order = sorted({one.writer for one in facts.writers}) == [one.writer for one in facts.writers]
    if facts.document() != content or not in_order or facts.since > facts.until:
        raise FormatError("a recovery's lines in another form")
    return facts


def _writer(line: str) -> OpenWriter:
    _, writer, published, kept = line.split(" ")
    return OpenWriter(UUID(writer), int(published), int(kept))
