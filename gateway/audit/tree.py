"""Entries, evidence and hashes of the whole log, bundle by bundle: each file is what the entries make it (L11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.tiles import WIDTH, Edge, entries_path, evidence_path, hashes_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.audit.files import Source
    from gateway.audit.report import Report
    from gateway.audit.tally import Tally
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.tiles import Tile


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf as it stands in the log, and the file that its record is in."""

    index: int
    leaf: bytes = field(repr=False)
    file: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Up to 256 leaves as they stand in the log, from the index ``first``; ``file`` is where their records are."""

    first: int
    leaves: tuple[bytes, ...] = field(repr=False)
    file: str

    def entry(self, at: int) -> Entry:
        """The entry at this place in the bundle."""
        return Entry(self.first + at, self.leaves[at], self.file)


@dataclass(frozen=True, slots=True)
class KnownRoot:
    """A root that somebody saw the log have at this size; ``otherwise`` is the finding where it had another one."""

    size: int
    root: bytes = field(repr=False)
    otherwise: Problem


class Milestones(Protocol):
    """Sizes at which somebody wants to know the root."""

    def __contains__(self, size: object) -> bool:
        """Whether this is one of them."""
        ...

    def reached(self, size: int, root: bytes) -> None:
        """The tree of this size has this root. Raises nothing."""
        ...


class Tree:
    """Streams a log's entries and proves, on the way, that hashes, root and all roots known before are theirs."""

    def __init__(
        self,
        folder: Source,
        checkpoint: Checkpoint,
        known: Iterable[KnownRoot] = (),
        milestones: Milestones | None = None,
    ) -> None:
        """``known``: the roots that the log must have had on its way; ``milestones`` are told of theirs."""
        self._milestones = milestones
        self._folder = folder
        self._known: dict[int, list[KnownRoot]] = {}
        for root in known:
            self._known.setdefault(root.size, []).append(root)
        self._checkpoint = checkpoint
        self._edge = Edge()
        self._whole = True

    def bundles(self, report: Report) -> Iterator[Bundle]:
        """Each bundle in order; what is wrong with the files goes to the report."""
        self._compare_known(report)
        size = self._checkpoint.size
        for first in range(0, size, WIDTH):
            width = min(WIDTH, size - first)
            leaves = read_bundle(self._folder, entries_path(first // WIDTH, width), width, report)
            if leaves is None:
                self._whole = False  # nothing after it can be hashed, yet what can be read is still looked at
                read_bundle(self._folder, evidence_path(first // WIDTH, width), width, report)
                continue
            for leaf in leaves:
                self._grow(report, leaf)
            yield Bundle(first, tuple(leaves), evidence_path(first // WIDTH, width))
        self._finish(report)

    def _grow(self, report: Report, leaf: bytes) -> None:
        if not self._whole:
            return
        for tile, expected in self._edge.append(leaf_hash(leaf)):
            self._compare_tile(report, tile, expected)
        self._compare_known(report)

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
            if problem.fault is not Fault.FILE_MISSING or not self._folder.listed:
                report.problem(problem)
            return
        if found != expected:
            report.problem(Problem(Fault.TILE_DIFFERS, "not the hashes of the entries", file=path))

    def _compare_known(self, report: Report) -> None:
        if self._milestones is not None and self._edge.size in self._milestones:
            self._milestones.reached(self._edge.size, self._edge.tree().root())
        for known in self._known.get(self._edge.size, ()):
            if self._edge.tree().root() != known.root:
                report.problem(known.otherwise)


def read_bundle(folder: Source, path: str, width: int, tally: Tally) -> list[bytes] | None:
    """The leaves, or the records, of a bundle; None where it has not so many, or cannot be read: the tally says why."""
    unpack = unpack_evidence if path.startswith("evidence/") else unpack_entries
    try:
        parts = unpack(folder.read(path))
    except FormatError:
        parts = []
    except Problem as problem:
        # a missing file was named when the directory was listed
        if problem.fault is not Fault.FILE_MISSING or not folder.listed:
            tally.problem(problem)
        return None
    if len(parts) != width:
        tally.problem(Problem(Fault.BUNDLE_MALFORMED, "not the entries that its name says", file=path))
        return None
    return parts
