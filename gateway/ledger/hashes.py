"""Hashes of complete subtrees, from the tiles of a log's directory: what proofs are made of (C2SP tlog-tiles)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.merkle import HASH_SIZE, root_of
from gateway.ledger.tiles import HEIGHT, WIDTH, hashes_path

if TYPE_CHECKING:
    from collections.abc import Callable


class TileHashes:
    """The tiles of a log of one size; each is read once."""

    def __init__(self, read: Callable[[str], bytes], size: int) -> None:
        """``read`` gives a file of the log by its path in the directory."""
        self._read_file = read
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def read(self, height: int, index: int) -> bytes:
        """As merkle.ReadHash; raises as the file's reading does where the tile is not there."""
        level, above = divmod(height, HEIGHT)
        first = index << above
        tile = self._tile(level, first // WIDTH)
        at = first % WIDTH * HASH_SIZE
        hashes = tile[at : at + (HASH_SIZE << above)]
        return root_of([hashes[start : start + HASH_SIZE] for start in range(0, len(hashes), HASH_SIZE)])

    def _tile(self, level: int, index: int) -> bytes:
        if (level, index) not in self._tiles:
            count = self._size >> (HEIGHT * level)
            width = min(WIDTH, count - index * WIDTH)
            self._tiles[level, index] = self._read_file(hashes_path(level, index, width))
        return self._tiles[level, index]
