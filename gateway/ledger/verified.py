"""A published log's files, read in order and verified as a whole: entries, records, hash tiles, objects (DESIGN L7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import RecoveryError
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import SEALED_KINDS, unpack_leaf
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.record import unpack_record
from gateway.ledger.tiles import (
    WIDTH,
    Edge,
    entries_path,
    evidence_path,
    hashes_path,
    object_path,
    unpack_entries,
    unpack_evidence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.tiles import Tile

    Bundle = list[tuple[bytes, Leaf, bytes | None]]
    """Each leaf as bytes and fields, with its record, None where it was destroyed."""


def verified_bundles(directory: Path, checkpoint: Checkpoint) -> Iterator[tuple[int, Bundle]]:
    """Each bundle with the index of its first leaf; that they lead to the signed root is known at the end only.

    Raises RecoveryError naming the file: a record that is not its leaf's, a tile whose hashes are not those of the
    leaves, one that is missing, leaves that do not lead to the root.
    """
    edge = Edge()
    for start in range(0, checkpoint.size, WIDTH):
        bundle = _bundle(directory, start // WIDTH, min(WIDTH, checkpoint.size - start))
        for packed, _, _ in bundle:
            _check_tiles(directory, edge.append(leaf_hash(packed)))
        yield start, bundle
    if edge.tree().root() != checkpoint.root:
        raise RecoveryError("recover_log_broken", file=CHECKPOINT)
    # those of the last size too: the sequencer takes the tree up from them, and auditors read no others
    _check_tiles(directory, edge.partials())


def verified_objects(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Each object with its hex SHA-256; raises RecoveryError naming one that is not what its name says."""
    for path in sorted((directory / "objects").iterdir()):
        data = path.read_bytes()
        if sha256(data).hexdigest() != path.name:
            raise RecoveryError("recover_log_broken", file=object_path(path.name))
        yield path.name, data


def _bundle(directory: Path, index: int, width: int) -> Bundle:
    name = entries_path(index, width)
    try:
        entries = unpack_entries((directory / name).read_bytes())
        name = evidence_path(index, width)
        records = unpack_evidence((directory / name).read_bytes())
        bundle = [
            (packed, _checked(packed, record), record or None) for packed, record in zip(entries, records, strict=True)
        ]
    except (FormatError, ValueError, FileNotFoundError):
        raise RecoveryError("recover_log_broken", file=name) from None
    if len(bundle) != width:
        raise RecoveryError("recover_log_broken", file=name)
    return bundle


def _checked(packed: bytes, record: bytes) -> Leaf:
    """The leaf's fields; a plain record must be the one that it binds, a sealed one nobody here can open."""
    leaf = unpack_leaf(packed)
    if leaf.kind not in SEALED_KINDS:
        unpack_record(record).check_binding(leaf.binding)
    return leaf


def _check_tiles(directory: Path, tiles: Iterable[tuple[Tile, bytes]]) -> None:
    for tile, hashes in tiles:
        name = hashes_path(tile.level, tile.index, tile.width)
        try:
            found = (directory / name).read_bytes()
        except FileNotFoundError:
            found = b""
        if found != hashes:
            raise RecoveryError("recover_log_broken", file=name)
