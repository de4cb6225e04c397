"""Records leave the database once the log's directory holds them for good (DESIGN L6): its growth is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

    from gateway.ledger.reader import LogReader
    from gateway.ledger.rows import StoredLeaf
    from gateway.ledger.storage import Purging

#: At most so many bundles a step, each in a transaction of its own: whoever answers callers never waits for long.
BUNDLES = 8
#: So far the database is searched at once for the first record that it still holds.
_SEARCHED = 256 * WIDTH


class Purge:
    """Removes sealed records from the database, oldest first, the clear rows never.

    One goes only when its bundle is full and below a checkpoint that the log's key signed, when the file was read back
    and holds the very bytes, and when it has stood so long that a copy of the directory can have been taken. What the
    last, partial bundle holds stays, since the sequencer takes that up from the rows. A crash at any point leaves some
    records in both places.
    """

    def __init__(self, rows: Purging, directory: Path, reader: LogReader, after: timedelta) -> None:
        """``after``: how old a leaf is at least when its record goes; zero or less keeps all."""
        self._rows = rows
        self._directory = directory
        self._reader = reader
        self._after = after
        self._from = 0

    def step(self, now: datetime) -> int:
        """Removes what may go, a few bundles at most; gives how many records went.

        A bundle that the directory does not hold as the database says keeps its records, is looked at again each time,
        and stops no other one, unless it is one of many: LedgerError is raised once the others are done. Raises
        StorageUnavailableError.
        """
        if not self._after:
            return 0
        _, checkpoint = self._reader.checkpoint()
        full = checkpoint.size - checkpoint.size % WIDTH
        gone, at, damaged = 0, self._from, list[LedgerError]()
        for _ in range(BUNDLES):
            start = self._next(at, full)
            if not damaged:
                self._from = full if start is None else start
            if start is None or self._rows.newer(start, start + WIDTH, now - self._after):
                break
            held, at = self._rows.held(start, start + WIDTH), start + WIDTH
            try:
                self._compare(start, held)
            except LedgerError as error:
                damaged.append(error)
                continue
            gone += self._rows.forget([row.index for row in held if row.index is not None])
        if damaged:
            raise damaged[0]
        return gone

    def _next(self, at: int, full: int) -> int | None:
        """The first leaf of the first full bundle from ``at`` on that still has something here."""
        for start in range(at, full, _SEARCHED):
            held = self._rows.first_held(start, min(start + _SEARCHED, full))
            if held is not None:
                return held - held % WIDTH
        return None

    def _compare(self, start: int, held: list[StoredLeaf]) -> None:
        path = evidence_path(start // WIDTH)
        try:
            leaves = unpack_entries((self._directory / entries_path(start // WIDTH)).read_bytes())
            records = unpack_evidence((self._directory / path).read_bytes())
            same = all(
                row.index is not None and (leaves[at := row.index - start], records[at]) == (row.leaf, row.record)
                for row in held
            )
        except (OSError, FormatError, IndexError) as error:
            raise LedgerError(f"{path} cannot be read: nothing of it is purged") from error
        if not same:
            raise LedgerError(f"{path} does not hold what the database holds: nothing of it is purged")
