"""Destroys sealed records, in the log's directory and in the database; their leaves and the tree stay (DESIGN L9)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import SEALED_KINDS, unpack_leaf
from gateway.ledger.locks import exclusive
from gateway.ledger.tiles import (
    WIDTH,
    entries_path,
    evidence_path,
    pack_evidence,
    unpack_entries,
    unpack_evidence,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.storage import Purging

#: Not the publisher's: both may be at work in one process.
_TEMPORARY = "destroying"
_LOCK = "destroying.lock"


class Destroyer:
    """Rewrites full bundles of evidence with records of no length, the one exception to "never written again" (L6).

    The destruction's own leaf is published before: whoever copies the directory at any moment finds either the record
    or the leaf that explains why it is gone. A bundle is replaced whole, by rename, so each is either as it was or as
    it shall be; what a crash leaves undone is done at the next start, since the leaf stands in the log.
    """

    def __init__(self, directory: Path, scratch: Path, rows: Purging) -> None:
        """``scratch`` is on the same file system as the log."""
        self._directory = directory
        self._scratch = scratch
        self._rows = rows

    def destroy(self, period: int, first: int, end: int) -> int:
        """Destroys the sealed records of a period behind the leaves from ``first`` up to, not with, ``end``.

        Both are multiples of 256, and all their bundles are full and published. Gives how many were still there, in
        the directory. Raises LedgerError where a bundle cannot be read, OSError, StorageUnavailableError.
        """
        return sum(self._bundle(index, period) for index in range(first // WIDTH, end // WIDTH))

    def _bundle(self, index: int, period: int) -> int:
        # every node has a process that destroys, and all write here: one must not rename what another is writing, nor
        # put back what it read before another destroyed of the same bundle
        with exclusive(self._scratch / _LOCK):
            return self._bundle_alone(index, period)

    def _bundle_alone(self, index: int, period: int) -> int:
        records, meant = read_bundle(self._directory, index, period)
        gone = sum(bool(records[at]) for at in meant)
        if gone:
            whole = pack_evidence([b"" if at in meant else one for at, one in enumerate(records)])
            self._replace(self._directory / evidence_path(index), whole)
        if meant:
            # after the files: what is still in a row is found by the next try, since all of this is done again
            self._rows.forget([index * WIDTH + at for at in meant])
        return gone

    def _replace(self, path: Path, data: bytes) -> None:
        temporary = self._scratch / _TEMPORARY
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - as in rename(2), the step that destroys
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remaining(directory: Path, period: int, first: int, end: int) -> int:
    """How many sealed records of a period are in the directory, in these bundles; raises LedgerError."""
    bundles = (read_bundle(directory, index, period) for index in range(first // WIDTH, end // WIDTH))
    return sum(bool(records[at]) for records, meant in bundles for at in meant)


def read_bundle(directory: Path, index: int, period: int) -> tuple[list[bytes], frozenset[int]]:
    """The records of a full bundle, and the places of those that a destruction of the period means.

    Raises LedgerError where it is not there, not full, or cannot be read.
    """
    path = evidence_path(index)
    try:
        leaves = unpack_entries((directory / entries_path(index)).read_bytes())
        records = unpack_evidence((directory / path).read_bytes())
        meant = frozenset(at for at, leaf in enumerate(leaves) if _is_meant(leaf, period))
    except (OSError, FormatError) as error:
        raise LedgerError(f"{path} cannot be read: nothing of it is destroyed") from error
    if (len(leaves), len(records)) != (WIDTH, WIDTH):
        raise LedgerError(f"{path} is not whole: nothing of it is destroyed")
    return records, meant


def _is_meant(packed: bytes, period: int) -> bool:
    leaf = unpack_leaf(packed)
    return leaf.kind in SEALED_KINDS and leaf.period == period
