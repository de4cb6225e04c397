"""The notes in the database: nothing in the clear but the month, and no order of insertion (L3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.change import Addition
from gateway.family.note import SealedNote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.storage import Database

_INTO = "INSERT INTO family_notes (lookup, nonce, period, sealed)"
_OF = "SELECT lookup, nonce, sealed FROM family_notes WHERE lookup IN ({places})"
_FORGET = "DELETE FROM family_notes WHERE period = ?"
_ANY = "SELECT 1 FROM family_notes LIMIT 1"


class DatabaseNotes:
    """family.notes.NoteStore over a Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def added(note: SealedNote, period: int) -> Addition:
        """A note of that month (YYYYMM), to be written."""
        return Addition(_INTO, (note.lookup, note.nonce, period, note.sealed))

    def of(self, lookups: Sequence[bytes]) -> list[SealedNote]:
        """All that lie under one of these, in no order."""
        query = _OF.format(places=", ".join("?" * len(lookups)))
        return [SealedNote(*map(bytes, row)) for row in self._database.read_once(query, tuple(lookups))]

    def forget(self, period: int) -> int:
        """Removes those of a month (YYYYMM) whose evidence is destroyed; gives how many there were."""
        with self._database.writing() as connection:
            return int(connection.exec_driver_sql(_FORGET, (period,)).rowcount)

    def is_empty(self) -> bool:
        """Whether nothing was ever noted."""
        return not self._database.read_once(_ANY, ())
