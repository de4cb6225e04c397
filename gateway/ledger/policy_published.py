"""The policy's leaves as the published log has them: what a database that was put back, or cut, cannot deny (L7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import KINDS, VERSION, unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.reader import LogReader
from gateway.ledger.record import unpack_record
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, object_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gateway.ledger.note import LogKey
    from gateway.ledger.rows import StoredLeaf
    from gateway.model import LeafKind

_TRIES = 5
_KINDS: tuple[LeafKind, ...] = ("genesis", "policy")
#: A leaf's first two bytes: its version, and its kind (docs/formats.md).
_ACTS = tuple(bytes((VERSION, KINDS[kind])) for kind in _KINDS)


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows in the order of the log; ``mended`` where a record was not the one that was published."""

    rows: tuple[StoredLeaf, ...]
    mended: bool


class PublishedActs:
    """Reads a log's directory, which may grow meanwhile; what is full is read, and hashed, once.

    What is read must lead to the root that the log's key has signed: a leaf taken out of an old bundle is missed.
    """

    def __init__(self, directory: Path, key: LogKey) -> None:
        self._directory = directory
        self._reader = LogReader(directory, key)
        self._tree = CompactRange()
        self._leaves: tuple[tuple[int, bytes], ...] = ()

    def leaves(self) -> tuple[bytes, ...]:
        """The leaves of kind genesis and policy in their order; none where nothing is published yet.

        Raises LedgerError when the checkpoint is not signed by the log's key, or its files are not there, or others.
        """
        return tuple(leaf for _, leaf in self._all())

    def shows(self, leaf: bytes) -> bool:
        """Whether this leaf is published, with the record that it binds; raises LedgerError as ``leaves``."""
        index = next((at for at, found in self._all() if found == leaf), None)
        return index is not None and _is_bound(leaf, self._record(index))

    def settle(self, read: Callable[[], Sequence[StoredLeaf]]) -> Settled:
        """A database's rows as they count: first those that are published, in the order of the log, then the others.

        A row's number and record are only what the database says: of a leaf whose record is not the one that it binds,
        the published record is taken. Raises LedgerError where a published leaf has no row (L7), and as ``leaves``.
        """
        published = self._all()  # before the rows: the database is never behind it
        rows = read()
        by_leaf = {row.leaf: row for row in reversed(rows)}
        if missing := sum(leaf not in by_leaf for _, leaf in published):
            raise LedgerError(
                f"the database lacks {missing} of the {len(published)} published leaves about the policy; "
                "see `passerelle log recover`"
            )
        first = [by_leaf[leaf] for _, leaf in published]
        numbers = {row.row for row in first}
        others = [row for row in rows if row.row not in numbers]
        whole = [self._whole(row, index) for row, (index, _) in zip(first, published, strict=True)]
        return Settled(tuple(whole + others), mended=whole != first)

    def _whole(self, row: StoredLeaf, index: int) -> StoredLeaf:
        if _is_bound(row.leaf, row.record):
            return row
        record = self._record(index)
        return replace(row, record=record) if _is_bound(row.leaf, record) else row

    def _record(self, index: int) -> bytes | None:
        """The published record of the leaf at ``index``; None where it cannot be read."""
        for _ in range(_TRIES):
            _, checkpoint = self._reader.checkpoint()
            bundle, at = divmod(index, WIDTH)
            width = min(WIDTH, checkpoint.size - bundle * WIDTH)
            try:
                return unpack_evidence((self._directory / evidence_path(bundle, width)).read_bytes())[at]
            except FileNotFoundError:
                continue  # as in ``_all``
            except (OSError, FormatError, IndexError):
                return None
        return None

    def _all(self) -> tuple[tuple[int, bytes], ...]:
        if not (self._directory / CHECKPOINT).exists():
            return ()
        for _ in range(_TRIES):
            _, checkpoint = self._reader.checkpoint()
            try:
                return self._read(checkpoint.size, checkpoint.root)
            except FileNotFoundError:
                continue  # the log grew, and the partial bundle of this size is gone
        raise LedgerError("the log's entries are missing under its checkpoint")

    def object(self, sha256: str) -> bytes | None:
        """The bytes published under this name; not checked against it."""
        try:
            return (self._directory / object_path(sha256)).read_bytes()
        except OSError:
            return None

    def _read(self, size: int, root: bytes) -> tuple[tuple[int, bytes], ...]:
        tree, leaves = self._tree.copy(), self._leaves
        while tree.size < size:
            width = min(WIDTH, size - tree.size)
            leaves += self._bundle(tree, width)
            if width == WIDTH:
                # before the root is compared: an error leaves this reader as useless as the log that it has read
                self._tree, self._leaves = tree.copy(), leaves
        if tree.root() != root:
            raise LedgerError("the published entries do not lead to the published checkpoint")
        return leaves

    def _bundle(self, tree: CompactRange, width: int) -> tuple[tuple[int, bytes], ...]:
        """The acts in the bundle that begins where the tree ends; the tree then has all of it."""
        first = tree.size
        entries = unpack_entries((self._directory / entries_path(first // WIDTH, width)).read_bytes())
        if len(entries) != width:
            raise LedgerError("a published bundle has other than its number of entries")
        for entry in entries:
            tree.append(leaf_hash(entry))
        return tuple((at, entry) for at, entry in enumerate(entries, first) if entry.startswith(_ACTS))


def _is_bound(leaf: bytes, record: bytes | None) -> bool:
    if record is None:
        return False
    try:
        unpack_record(record).check_binding(unpack_leaf(leaf).binding)
    except FormatError:
        return False
    return True
