"""Reads a log's directory as any client would: checkpoint, hashes, proofs (C2SP tlog-tiles, tlog-proof)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import encode64
from gateway.ledger.merkle import HASH_SIZE, inclusion_proof, root_of, verify_inclusion
from gateway.ledger.note import Checkpoint, verify_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.tiles import HEIGHT, WIDTH, hashes_path

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.note import LogKey

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf hash stands at an index under a signed checkpoint."""

    index: int
    proof: tuple[bytes, ...]
    note: bytes

    def text(self) -> str:
        """The proof as ``c2sp.org/tlog-proof@v1``."""
        hashes = "".join(f"{encode64(step)}\n" for step in self.proof)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{hashes}\n{self.note.decode()}"


class LogReader:
    """A log's directory, which may grow while it is read."""

    def __init__(self, directory: Path, key: LogKey) -> None:
        self._directory = directory
        self._key = key

    def checkpoint(self) -> tuple[bytes, Checkpoint]:
        """The published note, and what the log's key signed in it; raises LedgerError where there is none."""
        try:
            note = (self._directory / CHECKPOINT).read_bytes()
        except FileNotFoundError as error:
            raise LedgerError("the log has no checkpoint yet") from error
        return note, verify_note(note, self._key)

    def inclusion(self, index: int, digest: bytes) -> Inclusion | None:
        """The proof for the leaf hash at ``index``, or None until a published checkpoint covers it.

        Raises LedgerError when the files do not prove it.
        """
        for _ in range(_TRIES):
            note, checkpoint = self.checkpoint()
            if index >= checkpoint.size:
                return None
            try:
                proof = inclusion_proof(index, checkpoint.size, self._hashes(checkpoint.size).read)
            except FileNotFoundError:
                continue  # the log grew, and partial tiles of this size are gone: the next checkpoint is there
            verify_inclusion(digest, index, checkpoint.size, proof, checkpoint.root)
            return Inclusion(index, tuple(proof), note)
        raise LedgerError("the log's tiles are missing under its checkpoint")

    def _hashes(self, size: int) -> _Hashes:
        return _Hashes(self._directory, size)


class _Hashes:
    """Hashes of complete subtrees, from the tiles of a log of one size; each tile is read once."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def read(self, height: int, index: int) -> bytes:
        """As merkle.ReadHash; raises FileNotFoundError where the tile is not there."""
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
            self._tiles[level, index] = (self._directory / hashes_path(level, index, width)).read_bytes()
        return self._tiles[level, index]
