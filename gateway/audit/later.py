"""Files of a later size, which a copy has when the log grew while it was taken: checked, not failed (DESIGN L11).

No checkpoint in the copy speaks of them, so they can only be held against the files that it does speak of,
and against each other.
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
    from collections.abc import Callable, Sequence

    from gateway.audit.files import LogFolder
    from gateway.audit.report import Report
    from gateway.ledger.tiles import Tile


def check_later(folder: LogFolder, paths: Sequence[str], size: int, report: Report) -> None:
    """Notes every later file that does not continue the log, or is not what its name says."""
    for path in paths:
        tile = place_of(path)
        if tile is None:
            continue
        try:
            _check(folder, path, tile, size, paths)
        except Problem as problem:
            report.problem(problem, file=path)
        except FormatError:
            report.problem(Problem(Fault.BUNDLE_MALFORMED, "a later file that cannot be read", file=path))


def _check(folder: LogFolder, path: str, tile: Tile, size: int, paths: Sequence[str]) -> None:
    data = folder.read(path)
    if tile.level >= 0:
        parts = [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
        if len(data) != HASH_SIZE * tile.width:
            raise Problem(Fault.TILE_DIFFERS, "a later tile of another width than its name")
        name: Callable[[int, int], str] = lambda index, width: hashes_path(tile.level, index, width)  # noqa: E731  one of three
        split: Callable[[bytes], list[bytes]] = lambda earlier: [  # noqa: E731  the same
            earlier[at : at + HASH_SIZE] for at in range(0, len(earlier), HASH_SIZE)
        ]
    elif path.startswith("evidence/"):
        parts, name, split = unpack_evidence(data), evidence_path, unpack_evidence
    else:
        parts, name, split = unpack_entries(data), entries_path, unpack_entries
        for leaf in parts:
            unpack_leaf(leaf)
    if len(parts) != tile.width:
        raise Problem(Fault.BUNDLE_MALFORMED, "a later bundle of another width than its name")
    kept = min(WIDTH, (size >> (HEIGHT * max(tile.level, 0))) - tile.index * WIDTH)
    if kept > 0 and split(folder.read(name(tile.index, kept))) != parts[:kept]:
        raise Problem(Fault.TILE_DIFFERS, "a later file that does not continue the log")
    if tile.level == 0 and (entries := entries_path(tile.index, tile.width)) in paths:
        leaves = unpack_entries(folder.read(entries))
        if [leaf_hash(leaf) for leaf in leaves] != parts:
            raise Problem(Fault.TILE_DIFFERS, "a later tile that is not of the later entries")
