"""Subjects and their pseudonyms in the database; a short transaction of its own, before evidence is built (N2)."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Clock, Randomness
    from gateway.storage import Database

_FIND = "SELECT subject FROM pseudonyms WHERE pseudonym = ?"
_SUBJECT_BYTES = 16


class DatabaseSubjects:
    """nirec.subjects.SubjectStore over a durable Database."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness

    def subject(self, pseudonym: bytes, generation: int) -> bytes:
        """The subject behind a pseudonym, made if there was none; two workers get the same one."""
        with self._database.reading() as connection:
            found = connection.exec_driver_sql(_FIND, (pseudonym,)).scalar()
        if found is not None:
            return bytes(found)
        return self._database.waiting.blocking(lambda: self._created(pseudonym, generation))

    def _created(self, pseudonym: bytes, generation: int) -> bytes:
        fresh = self._randomness.bytes(_SUBJECT_BYTES)
        created = self._clock.now().astimezone(UTC).strftime("%Y-%m")
        with self._database.writing() as connection:
            # In the turn to write nobody else can come between the look and the insert.
            found = connection.exec_driver_sql(_FIND, (pseudonym,)).scalar()
            if found is not None:
                return bytes(found)
            connection.exec_driver_sql("INSERT INTO subjects (id, created) VALUES (?,?)", (fresh, created))
            connection.exec_driver_sql(
                "INSERT INTO pseudonyms (pseudonym, generation, subject) VALUES (?,?,?)",
                (pseudonym, generation, fresh),
            )
        return fresh
