"""Reads a log's directory as any client would: checkpoint, hashes, proofs (C2SP tlog-tiles, tlog-proof)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import encode64
from gateway.ledger.hashes import TileHashes
from gateway.ledger.merkle import ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from gateway.ledger.note import Checkpoint, verify_note
from gateway.ledger.publish import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.note import LogKey

_TRIES = 5
_MISSING = "the log's tiles are missing under its checkpoint"


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
        raise LedgerError(_MISSING)

    def had(self, size: int, root: bytes) -> bool:
        """Whether the published log had this root at this size (RFC 6962, 2.1.2); False for a size not yet reached.

        Raises LedgerError when the files are not there.
        """
        for _ in range(_TRIES):
            _, checkpoint = self.checkpoint()
            try:
                proof = consistency_proof(size, checkpoint.size, self._hashes(checkpoint.size).read)
                verify_consistency(size, root, checkpoint.size, checkpoint.root, proof)
            except FileNotFoundError:
                continue  # as above
            except ProofError:
                return False
            return True
        raise LedgerError(_MISSING)

    def _hashes(self, size: int) -> TileHashes:
        return TileHashes(lambda path: (self._directory / path).read_bytes(), size)
