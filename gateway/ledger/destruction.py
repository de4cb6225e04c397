"""A destruction as a leaf: what officers allowed, on which auditor's word (DESIGN L9).

What lives here: how it is read from a record, and written as one. What may not: whether it is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import NotRecordedError
from gateway.ledger.encoding import FormatError, canonical_json, parse_canonical_json
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.record import unpack_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gateway.ledger.rows import StoredLeaf
    from gateway.ledger.storage import Records
    from gateway.ledger.writer import Writer
    from gateway.ports import Clock, Randomness

_MEMBERS = frozenset({"v", "kind", "document", "verdict", "approvals"})


@dataclass(frozen=True, slots=True)
class DestructionTexts:
    """What a destruction's evidence holds; that it may be done, nobody has judged yet.

    Attributes:
        document: what is to be destroyed.
        verdict: the auditor's signed verdict over it.
        approvals: the officers' documents.
    """

    document: bytes = field(repr=False)
    verdict: bytes = field(repr=False)
    approvals: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordedDestruction:
    """A destruction that is sequenced: its leaf, the index and time of that, and what its record says."""

    index: int
    leaf: bytes
    at: datetime
    texts: DestructionTexts


def destruction_evidence(document: bytes, verdict: bytes, approvals: Sequence[bytes]) -> bytes:
    """Evidence that sealed records were destroyed; the three are ASCII texts, as they were signed."""
    return canonical_json(
        {
            "v": 1,
            "kind": "destruction",
            "document": document.decode("ascii"),
            "verdict": verdict.decode("ascii"),
            "approvals": [approval.decode("ascii") for approval in approvals],
        }
    )


def read_destruction_record(index: int, leaf: bytes, record: bytes) -> RecordedDestruction:
    """The destruction behind a leaf; raises FormatError for what is none."""
    parsed, unpacked = unpack_leaf(leaf), unpack_record(record)
    unpacked.check_binding(parsed.binding)
    if parsed.kind != "destruction":
        raise FormatError("a leaf of another kind")
    return RecordedDestruction(index, leaf, parsed.time, read_destruction_evidence(unpacked.evidence))


def read_destruction_evidence(evidence: bytes) -> DestructionTexts:
    """What the evidence of a destruction holds; raises FormatError for any other bytes."""
    said = parse_canonical_json(evidence)
    # Python takes `true` and `1.0` for the version 1
    if said.keys() != _MEMBERS or (type(said["v"]), said["v"], said["kind"]) != (int, 1, "destruction"):
        raise FormatError("not the members of a destruction")
    approvals = said["approvals"]
    if not isinstance(approvals, list):
        raise FormatError("a destruction's approvals that are no list")
    document, verdict, *signed = (_text(value) for value in (said["document"], said["verdict"], *approvals))
    return DestructionTexts(document, verdict, tuple(signed))


def recorded_destructions(rows: Sequence[StoredLeaf]) -> tuple[RecordedDestruction, ...]:
    """The destructions behind these rows, those left out that are none, or that are not sequenced."""
    found = []
    for row in rows:
        if row.index is None or row.record is None:
            continue
        try:
            found.append(read_destruction_record(row.index, row.leaf, row.record))
        except FormatError:
            continue
    return tuple(found)


class DestructionWriter:
    """Writes destructions as leaves of one writer of its own."""

    def __init__(self, records: Records, writer: Writer, clock: Clock, randomness: Randomness) -> None:
        """``writer`` needs no period key: the kind is plain."""
        self._records = records
        self._writer = writer
        self._clock = clock
        self._randomness = randomness

    def write(self, evidence: Callable[[datetime], bytes]) -> bytes:
        """The leaf, once it is on the disk; ``evidence`` gets its time, and may raise: then nothing is written.

        Raises NotRecordedError or StorageUnavailableError where it could not be written.
        """
        now = self._clock.now()
        content = evidence(now)
        draft = self._writer.draft("destruction", self._randomness.uuid(), now, content)
        if draft.time != now:
            self._writer.abandon(draft)
            raise NotRecordedError("the month has just ended: again")
        self._writer.commit(draft)
        return draft.leaf


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise FormatError("a destruction's text that is none")
    try:
        return value.encode("ascii")
    except UnicodeEncodeError as error:
        raise FormatError("a destruction's text that is not ASCII") from error
