"""One exchange with all that proves it, in one file that is read without the log (docs/formats.md, "Export").

Canonical JSON. The record is in its plain form, which the leaf binds: the writer's data key would have opened every
other exchange of that writer too. Handles are in it, field values are not (L1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.audit.evidence_schema import Bytes, Hex, One  # noqa: TC001  pydantic reads the annotations when the models are built
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError, canonical_json, encode64, parse_canonical_json

VERSION = 1
KIND = "passerelle-export"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Entry(_Strict):
    index: Annotated[int, Field(ge=0)]
    leaf: Bytes
    record: Bytes
    proof: tuple[Bytes, ...]


class _Export(_Strict):
    v: One
    kind: Literal["passerelle-export"]
    checkpoint: str
    entries: tuple[_Entry, ...] = Field(min_length=1)
    objects: dict[Hex, Bytes]


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """A leaf, the plain form of its record, and the way from the leaf's hash to the checkpoint's root."""

    index: int
    leaf: bytes = field(repr=False)
    record: bytes = field(repr=False)
    proof: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Export:
    """What such a file holds.

    Attributes:
        note: the checkpoint with the log's own signature, and no other.
        entries: the policy's leaves, the writer's opening and last the exchange, in the order of the log.
        objects: what they name, by hex SHA-256.
    """

    note: bytes = field(repr=False)
    entries: tuple[ProvenEntry, ...]
    objects: dict[str, bytes] = field(repr=False)

    def pack(self) -> bytes:
        """The file's bytes."""
        entries = [
            {
                "index": entry.index,
                "leaf": encode64(entry.leaf),
                "record": encode64(entry.record),
                "proof": [encode64(step) for step in entry.proof],
            }
            for entry in self.entries
        ]
        objects = {digest: encode64(content) for digest, content in self.objects.items()}
        content = {"v": VERSION, "kind": KIND, "checkpoint": self.note.decode(), "entries": entries, "objects": objects}
        return canonical_json(content)


def is_export(data: bytes) -> bool:
    """Whether these bytes say that they are an export; whether they are one, ``read_export`` knows."""
    return f'"kind":"{KIND}"'.encode() in data


def read_export(data: bytes) -> Export:
    """The export in these bytes; raises Problem (bundle_malformed) for any others."""
    try:
        parse_canonical_json(data)
        read = _Export.model_validate_json(data)
    except (FormatError, ValidationError):
        raise Problem(Fault.BUNDLE_MALFORMED, "not an export in its one form") from None
    entries = tuple(ProvenEntry(item.index, item.leaf, item.record, item.proof) for item in read.entries)
    return Export(read.checkpoint.encode(), entries, dict(read.objects))
