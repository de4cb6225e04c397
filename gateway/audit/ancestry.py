"""Whether a log grew from a tree that somebody says to have seen, of a size that was not known beforehand (L9, L11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.verdict import Problem
from gateway.errors import LedgerError
from gateway.ledger.hashes import TileHashes
from gateway.ledger.merkle import consistency_proof, verify_consistency

if TYPE_CHECKING:
    from gateway.audit.files import Source
    from gateway.ledger.note import Checkpoint


class Ancestry:
    """The trees that one log's signed root contains."""

    def __init__(self, folder: Source, checkpoint: Checkpoint) -> None:
        """``checkpoint`` is the one that is audited."""
        self._folder = folder
        self._checkpoint = checkpoint

    def has(self, size: int, root: bytes) -> bool:
        """Whether the log had this root at this size (RFC 6962, 2.1.2); never where its tiles do not show it.

        The tiles are read for it anew, and their proof ends at the signed root: an address that gives others than it
        gave before gains nothing. Raises SourceLostError.
        """
        end = self._checkpoint
        tiles = TileHashes(self._folder.read, end.size)
        try:
            verify_consistency(size, root, end.size, end.root, consistency_proof(size, end.size, tiles.read))
        except (Problem, LedgerError):
            return False
        return True
