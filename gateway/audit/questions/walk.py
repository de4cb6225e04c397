"""The log read once more for a question: every leaf hashed, and the evidence that the auditor's keys open.

What opens is what was audited: the leaf binds it (S3), and the leaves lead to the root of the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.evidence_schema import Opening, read_evidence
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import KINDS, SEALED_KINDS, unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.record import open_record, unpack_record
from gateway.ledger.sealing import open_data_key
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from gateway.audit.files import LogFolder
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.record import Record

_KIND = 1  # where a leaf has its kind
_OPENING = KINDS["opening"]


class CopyChangedError(FormatError):
    """The copy is not the one that was audited a moment ago."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A leaf on the way; ``stored`` is its record as the log has it, None where nobody asked for it."""

    index: int
    leaf: Leaf
    packed: bytes = field(repr=False)
    stored: bytes | None = field(repr=False)


class Walk:
    """One pass over a copy whose checkpoint was believed."""

    def __init__(
        self, folder: LogFolder, checkpoint: Checkpoint, periods: Mapping[int, bytes], mark: int | None = None
    ) -> None:
        """``periods``: raw private keys by YYYYMM; ``mark``: a size whose root is noted on the way."""
        self._folder = folder
        self._checkpoint = checkpoint
        self._periods = periods
        self._keys: dict[UUID, AESGCM] = {}
        self._mark = mark
        #: The root over as many leaves as ``mark`` says, once the walk is past it.
        self.marked: bytes | None = None

    def leaves(
        self,
        since: int = 0,
        tell: Callable[[int], None] = lambda _: None,
        wants: Callable[[bytes], bool] = lambda _: True,
    ) -> Iterator[Seen]:
        """Every leaf; with its record where its bundle has an opening, or a leaf that is wanted.

        Wanted are those from index ``since`` on of which ``wants`` says so, by their bytes.

        Raises CopyChangedError at the end where they do not lead to the checkpoint's root, and Problem or FormatError
        where a file cannot be read.
        """
        tree, size = CompactRange(), self._checkpoint.size
        for first in range(0, size, WIDTH):
            width = min(WIDTH, size - first)
            leaves = unpack_entries(self._folder.read(entries_path(first // WIDTH, width)))
            records = None
            wanted = any(wants(leaf) for leaf in leaves[max(0, since - first) :])
            if wanted or any(leaf[_KIND] == _OPENING for leaf in leaves):
                records = unpack_evidence(self._folder.read(evidence_path(first // WIDTH, width)))
            for at, packed in enumerate(leaves):
                tree.append(leaf_hash(packed))
                if tree.size == self._mark:
                    self.marked = tree.root()
                seen = Seen(first + at, unpack_leaf(packed), packed, None if records is None else records[at])
                self._take_opening(seen)
                yield seen
            tell(first + width)
        if tree.size != size or tree.root() != self._checkpoint.root:
            raise CopyChangedError("the entries do not lead to the root that was audited")

    def opened(self, seen: Seen) -> Record | None:
        """The record that this leaf binds; None where it is destroyed, or sealed to a period whose key is not here.

        Raises FormatError where it does not open, or is not the one that the leaf binds.
        """
        if not seen.stored:
            return None
        plain = seen.stored
        if seen.leaf.kind in SEALED_KINDS:
            key = self._keys.get(seen.leaf.writer)
            if key is None:
                return None
            plain = open_record(key, seen.packed, seen.leaf.counter, seen.stored)
        record = unpack_record(plain)
        record.check_binding(seen.leaf.binding)
        return record

    def _take_opening(self, seen: Seen) -> None:
        private = self._periods.get(seen.leaf.period)
        if seen.leaf.kind != "opening" or private is None:
            return
        record = self.opened(seen)
        if record is not None:
            opening = read_evidence(record.evidence, Opening)
            key = open_data_key(private, opening.sealed_data_key, seen.leaf.writer, seen.leaf.period)
            self._keys[seen.leaf.writer] = AESGCM(key)
