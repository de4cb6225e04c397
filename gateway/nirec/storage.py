"""Subjects, their pseudonyms, their handles and which of them are one, in the database (N2, N3)."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from gateway.change import Statement
from gateway.nirec.found import Found, Generation, Located

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Clock, Randomness
    from gateway.storage import Database

_SUBJECT_BYTES = 16
_NEWEST = "SELECT MAX(generation) FROM nirec_generations"
# one statement, one snapshot: a row of the former generation is seen together with the former newest, or not at all
_LOCATE = f"""
SELECT ({_NEWEST}), p.subject, COALESCE(m.survivor, p.subject)
FROM (SELECT 1) AS one LEFT JOIN pseudonyms p ON p.pseudonym = ? LEFT JOIN merged_subjects m ON m.subject = p.subject
"""  # noqa: S608  our own constant only
_NAMED = """
SELECT h.subject, COALESCE(m.survivor, h.subject)
FROM handles h LEFT JOIN merged_subjects m ON m.subject = h.subject WHERE h.lookup = ?
"""
_GENERATIONS = "SELECT generation, state = 'complete', proof FROM nirec_generations ORDER BY generation"
_PROVE = "UPDATE nirec_generations SET proof = ? WHERE generation = ? AND proof IS NULL"
_INSERT_SUBJECT = "INSERT INTO subjects (id, created) VALUES (?, ?)"
_INSERT_PSEUDONYM = "INSERT INTO pseudonyms (pseudonym, generation, subject) VALUES (?, ?, ?)"
_ANY_HANDLE = "SELECT 1 FROM handles LIMIT 1"
_INSERT_HANDLE = "INSERT INTO handles (lookup, subject) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FAMILY = "SELECT ? UNION ALL SELECT subject FROM merged_subjects WHERE survivor = ?"
_NUMBERS = f"SELECT COUNT(*) FROM pseudonyms WHERE subject IN ({_FAMILY})"  # noqa: S608  the same
_ATTACH = f"""
INSERT INTO pseudonyms (pseudonym, generation, subject) SELECT ?, ?, ?
WHERE ({_NEWEST}) = ? AND ({_NUMBERS}) = 0 AND NOT EXISTS (SELECT 1 FROM merged_subjects WHERE subject = ?)
AND NOT EXISTS (SELECT 1 FROM pseudonyms WHERE pseudonym IN ({{values}}))
"""  # noqa: S608  the same
_MERGE = f"""
INSERT INTO merged_subjects (subject, survivor) SELECT ?, ?
WHERE ({_NUMBERS}) = ? AND ({_NUMBERS}) = ? AND NOT EXISTS (SELECT 1 FROM merged_subjects WHERE subject IN (?, ?))
"""  # noqa: S608  the same
_BEGIN = """
INSERT INTO nirec_generations (generation, state, proof) SELECT ?, 'rotating', ?
WHERE NOT EXISTS (SELECT 1 FROM nirec_generations WHERE generation >= ? OR state <> 'complete')
"""
_FORMER = "SELECT pseudonym FROM pseudonyms WHERE generation = ? LIMIT ?"
_REWRITE = "UPDATE pseudonyms SET pseudonym = ?, generation = ? WHERE pseudonym = ? AND generation = ?"
_FINISH = """
UPDATE nirec_generations SET state = 'complete'
WHERE generation = ? AND NOT EXISTS (SELECT 1 FROM pseudonyms WHERE generation < ?)
"""
_FOLLOW = "UPDATE merged_subjects SET survivor = ? WHERE survivor = ?"


class DatabaseSubjects:
    """nirec.subjects.SubjectStore over a durable Database."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness

    def generations(self) -> list[Generation]:
        """Every generation of the pseudonym key, oldest first."""
        return _generations(self._database)

    def prove(self, generation: int, proof: bytes) -> None:
        """Notes which key a generation has, unless that is known."""

        def write() -> None:
            with self._database.writing() as connection:
                connection.exec_driver_sql(_PROVE, (proof, generation))

        self._database.waiting.blocking(write)

    def locate(self, values: Sequence[bytes]) -> Located:
        """Whom a NIREC's chain of values finds, the newest value first, and how long the chain must be."""
        return _located(values, lambda value: self._database.read_once(_LOCATE, (value,)))

    def make(self, values: Sequence[bytes]) -> Located:
        """The same, with a new subject where there was none; two workers make one.

        Nothing is made where there is a newer generation than the values' own: they are to be extended first.
        """
        return self._database.waiting.blocking(lambda: self._made(values))

    def _made(self, values: Sequence[bytes]) -> Located:
        # alone, so that nobody else can come between the look and the insert, no rotation either
        with self._database.writing(alone=True) as connection:
            located = _located(values, lambda value: connection.exec_driver_sql(_LOCATE, (value,)).all())
            if located.found is not None or located.newest >= len(values):
                return located
            fresh, created = self.fresh()
            connection.exec_driver_sql(_INSERT_SUBJECT, (fresh, created))
            connection.exec_driver_sql(_INSERT_PSEUDONYM, (values[located.newest], located.newest, fresh))
        return Located(located.newest, Found(fresh, fresh))

    def fresh(self) -> tuple[bytes, str]:
        """A new subject's random id and its month; it is not written."""
        return self._randomness.bytes(_SUBJECT_BYTES), self._clock.now().astimezone(UTC).strftime("%Y-%m")

    def named(self, lookup: bytes) -> Found | None:
        """The subject that a given handle names; None where it was never given."""
        rows = self._database.read_once(_NAMED, (lookup,))
        return Found(*rows[0]) if rows else None

    def has_handles(self) -> bool:
        """Whether a handle was ever given."""
        return bool(self._database.read_once(_ANY_HANDLE, ()))

    def family(self, survivor: bytes) -> list[bytes]:
        """A subject and all that were merged into it, in the order in which they stay: the lowest id first."""
        query = f"SELECT id FROM subjects WHERE id IN ({_FAMILY}) ORDER BY id"  # noqa: S608  the same
        return [row[0] for row in self._database.read_once(query, (survivor, survivor))]

    def numbers(self, survivor: bytes) -> int:
        """How many NIRECs a subject has, with those of all that were merged into it."""
        return int(self._database.read_once(_NUMBERS, (survivor, survivor))[0][0])

    # what an exchange changes, in the transaction of its record: all of it, or none of it

    @staticmethod
    def new_subject(subject: bytes, created: str) -> Statement:
        """A subject without pseudonym."""
        return Statement(_INSERT_SUBJECT, (subject, created), rows=1)

    @staticmethod
    def new_handle(lookup: bytes, subject: bytes) -> Statement:
        """A handle that is given for the first time; giving it again changes nothing."""
        return Statement(_INSERT_HANDLE, (lookup, subject), rows=None)

    @staticmethod
    def attached(values: Sequence[bytes], subject: bytes) -> Statement:
        """A NIREC's pseudonym for a subject that has none, if nobody has that NIREC in any generation."""
        newest = len(values) - 1
        text = _ATTACH.format(values=", ".join("?" * len(values)))
        return Statement(text, (values[-1], newest, subject, newest, subject, subject, subject, *values), rows=1)

    @staticmethod
    def merged(subject: bytes, survivor: bytes, numbers: tuple[int, int]) -> tuple[Statement, ...]:
        """A subject, with all that were merged into it, points to its survivor from now on.

        Both must be survivors still, so that there can be no cycle, and have as many NIRECs as were counted.
        """
        conditions = (subject, subject, numbers[0], survivor, survivor, numbers[1], subject, survivor)
        return (
            Statement(_MERGE, (subject, survivor, *conditions), rows=1),
            Statement(_FOLLOW, (survivor, subject), rows=None),
        )


class DatabaseRotation:
    """nirec.rotation.RotationStore over a durable Database of the rotation's own process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def generations(self) -> list[Generation]:
        """Every generation of the pseudonym key, oldest first."""
        return _generations(self._database)

    def begin(self, generation: int, proof: bytes) -> None:
        """From now on this generation is the newest, durably; nothing where it is so already."""
        with self._database.writing(alone=True) as connection:
            connection.exec_driver_sql(_BEGIN, (generation, proof, generation))

    def counts(self, generation: int) -> tuple[int, int]:
        """How many pseudonyms are of this generation, and how many there are."""
        with self._database.reading() as connection:
            query = "SELECT COUNT(*) FILTER (WHERE generation = ?), COUNT(*) FROM pseudonyms"
            done, total = connection.exec_driver_sql(query, (generation,)).one()
        return done, total

    def former(self, generation: int, limit: int) -> list[bytes]:
        """Some pseudonyms of the generation before it."""
        with self._database.reading() as connection:
            return [bytes(row[0]) for row in connection.exec_driver_sql(_FORMER, (generation - 1, limit))]

    def rewrite(self, generation: int, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Puts the second in the place of the first, in one transaction; who was rewritten already is left."""
        rows = [(new, generation, old, generation - 1) for old, new in pairs]
        with self._database.writing(alone=True) as connection:
            connection.exec_driver_sql(_REWRITE, rows)

    def finish(self, generation: int) -> None:
        """Leaves no trace of the former generation in the table, then notes that nothing of it is left."""
        self._database.scrub("pseudonyms")
        with self._database.writing(alone=True) as connection:
            connection.exec_driver_sql(_FINISH, (generation, generation))


def _generations(database: Database) -> list[Generation]:
    with database.reading() as connection:
        return [Generation(row[0], bool(row[1]), row[2]) for row in connection.exec_driver_sql(_GENERATIONS)]


def _located(values: Sequence[bytes], ask: Callable[[bytes], Sequence[Sequence[Any]]]) -> Located:
    newest = len(values) - 1
    for value in reversed(values):
        newest, named, survivor = ask(value)[0]
        if named is not None:
            return Located(newest, Found(named, survivor))
    return Located(newest, None)
