"""The log's files by name and content: C2SP tlog-tiles, with bundles of evidence beside the bundles of entries.

A tile holds up to 256 hashes; a tile at level L holds the roots of full tiles at level L - 1. A bundle holds
the entries, or the records, of one level-0 tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import HASH_SIZE, CompactRange, root_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 256
HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of the tree, or with level -1 the bundles of one level-0 tile; ``width`` 256 means full."""

    level: int
    index: int
    width: int

    @property
    def name(self) -> str:
        """The path below ``tile/<level>/``, ``tile/entries/`` or ``evidence/``."""
        return tile_name(self.index, self.width)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files in the log's directory that hold it."""
        if self.level < 0:
            return entries_path(self.index, self.width), evidence_path(self.index, self.width)
        return (hashes_path(self.level, self.index, self.width),)


def tile_name(index: int, width: int = WIDTH) -> str:
    """The number in groups of three digits, all but the last after an x; ``.p/<width>`` when partial."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups) + ("" if width == WIDTH else f".p/{width}")


def hashes_path(level: int, index: int, width: int = WIDTH) -> str:
    """Where a tile of hashes stands."""
    return f"tile/{level}/{tile_name(index, width)}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """Where a bundle of leaves stands."""
    return f"tile/entries/{tile_name(index, width)}"


def evidence_path(index: int, width: int = WIDTH) -> str:
    """Where a bundle of records stands."""
    return f"evidence/{tile_name(index, width)}"


def object_path(digest: str) -> str:
    """Where what evidence names by its hex SHA-256 stands."""
    return f"objects/{digest}"


def partial_tiles(size: int) -> Iterator[Tile]:
    """The partial tiles of a tree, its partial bundles (level -1) first; never an empty one."""
    if size % WIDTH:
        yield Tile(-1, size // WIDTH, size % WIDTH)
    level = 0
    while count := size >> (HEIGHT * level):
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile and every pair of bundles (level -1) that a log of this size has, the full ones first."""
    yield from (Tile(-1, index, WIDTH) for index in range(size // WIDTH))
    level = 0
    while count := size >> (HEIGHT * level):
        yield from (Tile(level, index, WIDTH) for index in range(count // WIDTH))
        level += 1
    yield from partial_tiles(size)


def pack_entries(leaves: Sequence[bytes]) -> bytes:
    """uint16 length || leaf, for each."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def pack_evidence(records: Sequence[bytes | None]) -> bytes:
    """uint32 length || record, for each; length 0 for a record that is not there."""
    return b"".join(len(record or b"").to_bytes(4, "big") + (record or b"") for record in records)


def unpack_entries(bundle: bytes) -> list[bytes]:
    """The leaves of a bundle; raises FormatError when it does not end with a leaf's last byte."""
    return _unpack(bundle, 2)


def unpack_evidence(bundle: bytes) -> list[bytes]:
    """The records of a bundle, empty ones where there is none; raises FormatError like ``unpack_entries``."""
    return _unpack(bundle, 4)


def _unpack(bundle: bytes, prefix: int) -> list[bytes]:
    parts = []
    at = 0
    while at < len(bundle):
        start = at + prefix
        at = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or at > len(bundle):
            raise FormatError("bundle cut off")
        parts.append(bundle[start:at])
    if len(parts) > WIDTH:
        raise FormatError("bundle too long")
    return parts


class Edge:
    """The hashes in the last, partial tile of each level: all that is needed to write the tiles that follow."""

    __slots__ = ("levels", "size")

    def __init__(self) -> None:
        self.size = 0
        self.levels: list[list[bytes]] = []

    def resume(self, size: int, levels: list[bytes]) -> None:
        """Takes up a tree where it stood; ``levels`` holds the bytes of each level's partial tile, lowest first.

        Raises LedgerError when a tile has not the width that the size asks for.
        """
        split = [[tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)] for tile in levels]
        for level, hashes in enumerate(split):
            if len(levels[level]) != HASH_SIZE * ((size >> (HEIGHT * level)) % WIDTH):
                raise LedgerError(f"the partial tile at level {level} has {len(hashes)} hashes, not as size {size}")
        self.size, self.levels = size, split

    def tree(self) -> CompactRange:
        """The tree that these tiles are the edge of."""
        tree = CompactRange()
        for level in reversed(range(len(self.levels))):
            for digest in self.levels[level]:
                tree.append(digest, HEIGHT * level)
        return tree

    def append(self, digest: bytes) -> Iterator[tuple[Tile, bytes]]:
        """Adds a leaf hash; gives each tile of hashes that it filled, with its bytes, bottom-up."""
        self.size += 1
        level = 0
        while True:
            if level == len(self.levels):
                self.levels.append([])
            hashes = self.levels[level]
            hashes.append(digest)
            if len(hashes) < WIDTH:
                return
            yield Tile(level, (self.size >> (HEIGHT * (level + 1))) - 1, WIDTH), b"".join(hashes)
            digest = root_of(hashes)
            hashes.clear()
            level += 1

    def partials(self) -> Iterator[tuple[Tile, bytes]]:
        """Each partial tile of hashes at the present size, with its bytes, bottom-up."""
        for tile in partial_tiles(self.size):
            if tile.level >= 0:
                yield tile, b"".join(self.levels[tile.level])
