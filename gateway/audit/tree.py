"""Entries, evidence and hashes of the whole log, bundle by bundle: each file is what the entries make it (L11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.tiles import WIDTH, Edge, entries_path, evidence_path, hashes_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.audit.files import LogFolder
    from gateway.audit.report import Report
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.tiles import Tile


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf as it stands in the log; ``record`` is None where its bundle could not be read."""

    index: int
    leaf: bytes = field(repr=False)
    record: bytes | None = field(repr=False)
    file: str


class Tree:
    """Streams a log's entries and proves, on the way, that hashes, root and the remembered root are theirs."""

    def __init__(
        self,
        folder: LogFolder,
        checkpoint: Checkpoint,
        remembered: Checkpoint | None,
        shown: Mapping[int, Sequence[tuple[bytes, str]]] | None = None,
    ) -> None:
        """``shown``: by size, the roots that parties were shown, each with the file that says so."""
        self._folder = folder
        self._shown = shown or {}
        self._checkpoint = checkpoint
        self._remembered = remembered
        self._edge = Edge()
        self._whole = True

    def entries(self, report: Report, tell: Callable[[int], None]) -> Iterator[Entry]:
        """Each entry in order; what is wrong with the files goes to the report."""
        self._compare_remembered(report)
        size = self._checkpoint.size
        for first in range(0, size, WIDTH):
            width = min(WIDTH, size - first)
            leaves = self._bundle(report, entries_path(first // WIDTH, width), width, unpack_entries)
            records = self._bundle(report, path := evidence_path(first // WIDTH, width), width, unpack_evidence)
            if leaves is None:
                self._whole = False  # nothing after it can be hashed, yet what can be read is still looked at
                continue
            for at, leaf in enumerate(leaves):
                self._grow(report, leaf)
                yield Entry(first + at, leaf, None if records is None else records[at], path)
            tell(first + width)
        self._finish(report)

    def _bundle(
        self, report: Report, path: str, width: int, unpack: Callable[[bytes], list[bytes]]
    ) -> list[bytes] | None:
        try:
            parts = unpack(self._folder.read(path))
        except FormatError:
            parts = []
        except Problem as problem:
            # a missing file was named when the directory was listed
            if problem.fault is not Fault.FILE_MISSING:
                report.problem(problem)
            return None
        if len(parts) != width:
            report.problem(Problem(Fault.BUNDLE_MALFORMED, "not the entries that its name says", file=path))
            return None
        return parts

    def _grow(self, report: Report, leaf: bytes) -> None:
        if not self._whole:
            return
        for tile, expected in self._edge.append(leaf_hash(leaf)):
            self._compare_tile(report, tile, expected)
        self._compare_remembered(report)

    def _finish(self, report: Report) -> None:
        if not self._whole:
            report.problem(Problem(Fault.ROOT_DIFFERS, "the root cannot be built without every entry"))
            return
        for tile, expected in self._edge.partials():
            self._compare_tile(report, tile, expected)
        if self._edge.tree().root() != self._checkpoint.root:
            report.problem(Problem(Fault.ROOT_DIFFERS, "the entries lead to another root than the signed one"))

    def _compare_tile(self, report: Report, tile: Tile, expected: bytes) -> None:
        path = hashes_path(tile.level, tile.index, tile.width)
        try:
            found = self._folder.read(path)
        except Problem as problem:
            if problem.fault is not Fault.FILE_MISSING:
                report.problem(problem)
            return
        if found != expected:
            report.problem(Problem(Fault.TILE_DIFFERS, "not the hashes of the entries", file=path))

    def _compare_remembered(self, report: Report) -> None:
        for root, file in self._shown.get(self._edge.size, ()):
            if self._edge.tree().root() != root:
                report.problem(Problem(Fault.RECEIPT_PROOF_DIFFERS, "a party was shown another log", file=file))
        remembered = self._remembered
        if remembered is None or remembered.size != self._edge.size:
            return
        if self._edge.tree().root() != remembered.root:
            report.problem(Problem(Fault.LOG_FORKED, f"not the log that was remembered at size {remembered.size}"))
