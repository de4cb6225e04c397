"""Files of a later size, which a copy has when the log grew while it was taken: checked, not failed (DESIGN L11).

No checkpoint in the copy speaks of them, so they are held against the files that it does speak of, and against
each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.files import place_of
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.merkle import HASH_SIZE, leaf_hash
from gateway.ledger.tiles import (
    HEIGHT,
    WIDTH,
    entries_path,
    evidence_path,
    hashes_path,
    unpack_entries,
    unpack_evidence,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.audit.files import Source
    from gateway.audit.report import Report
    from gateway.ledger.tiles import Tile


def check_later(folder: Source, paths: Collection[str], size: int, report: Report) -> None:
    """Notes every later file that does not continue the log of this size, or is not what its name says."""
    for path in paths:
        tile = place_of(path)
        if tile is None:
            continue
        try:
            parts = _parts(path, folder.read(path), tile)
            _check_continues(folder, path, tile, parts, size)
            _check_hashes(folder, tile, parts, paths)
        except Problem as problem:
            # of the files of this size, a missing one was named already
            if problem.fault is not Fault.FILE_MISSING:
                report.problem(problem, file=path)
        except (FormatError, OverflowError):  # the latter for a time before the year 1
            report.problem(Problem(Fault.BUNDLE_MALFORMED, "a later file that cannot be read"), file=path)


def _parts(path: str, data: bytes, tile: Tile) -> list[bytes]:
    """The hashes, leaves or records in a file; raises FormatError, and Problem where they are not as many as named."""
    if tile.level >= 0:
        parts = [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
    elif path.startswith("evidence/"):
        parts = unpack_evidence(data)
    else:
        parts = unpack_entries(data)
        for leaf in parts:
            unpack_leaf(leaf)
    if len(parts) != tile.width or (tile.level >= 0 and len(data) % HASH_SIZE):
        raise Problem(Fault.BUNDLE_MALFORMED, "not as many entries as its name says", file=path)
    return parts


def _check_continues(folder: Source, path: str, tile: Tile, parts: list[bytes], size: int) -> None:
    """Its beginning is what the checkpoint speaks of."""
    kept = min(WIDTH, (size >> (HEIGHT * max(tile.level, 0))) - tile.index * WIDTH)
    if kept <= 0:
        return
    if tile.level >= 0:
        earlier = hashes_path(tile.level, tile.index, kept)
    else:
        earlier = (evidence_path if path.startswith("evidence/") else entries_path)(tile.index, kept)
    known = _parts(earlier, folder.read(earlier), type(tile)(tile.level, tile.index, kept))
    if known != parts[:kept]:
        raise Problem(Fault.TILE_DIFFERS, "a later file that does not continue the log", file=path)


def _check_hashes(folder: Source, tile: Tile, parts: list[bytes], paths: Collection[str]) -> None:
    """Later hashes are those of the later entries, where the copy has both."""
    entries = entries_path(tile.index, tile.width)
    if tile.level != 0 or entries not in paths:
        return
    if [leaf_hash(leaf) for leaf in unpack_entries(folder.read(entries))] != parts:
        raise Problem(Fault.TILE_DIFFERS, "a later tile that is not of the later entries")
