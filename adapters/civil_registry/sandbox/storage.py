"""The sandbox registry's own SQLite database: written once, then only read.

The number is the key of a WITHOUT ROWID table and the date stands last, so that in the raw file a number's 13
digits never touch another digit, and the byte search of N5 finds each of them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

Row = tuple[str, str, str, str]

_CREATE = """
CREATE TABLE births (
    nirec TEXT PRIMARY KEY, family_name TEXT NOT NULL, given_names TEXT NOT NULL, birth_date TEXT NOT NULL
) WITHOUT ROWID
"""
_PAIR = """
SELECT a.nirec, a.family_name, a.given_names, a.birth_date, b.nirec, b.family_name, b.given_names, b.birth_date
FROM births a JOIN births b ON a.family_name = b.family_name AND a.nirec < b.nirec
"""
_NAMESAKES = _PAIR + "AND a.given_names = b.given_names AND a.birth_date <> b.birth_date ORDER BY a.nirec LIMIT 1"
_TWINS = _PAIR + "AND a.given_names <> b.given_names AND a.birth_date = b.birth_date ORDER BY a.nirec LIMIT 1"
_ACCENTED = """
SELECT nirec, family_name, given_names, birth_date FROM births
WHERE family_name LIKE '%é%' AND given_names LIKE '%-%' ORDER BY nirec LIMIT 1
"""
_ALL = "SELECT nirec, family_name, given_names, birth_date FROM births ORDER BY nirec"
_FIND = "SELECT nirec, family_name, given_names, birth_date FROM births WHERE nirec = ?"


def write_births(path: Path, rows: Iterable[Row]) -> None:
    """Makes the database; raises FileExistsError rather than touch one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_CREATE)
        # In the key's order: pages are then never split, and no stale copy of a row stays in the file.
        connection.executemany("INSERT INTO births VALUES (?, ?, ?, ?)", sorted(rows))


class Register:
    """Reads the database; one connection, of the thread that made it. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def find(self, nirec: str) -> Row | None:
        """The birth of this number."""
        row: Row | None = self._connection.execute(_FIND, (nirec,)).fetchone()
        return row

    def all(self) -> list[Row]:
        """Every birth, in the order of their numbers."""
        return self._connection.execute(_ALL).fetchall()

    def namesakes(self) -> tuple[Row, Row]:
        """Two of the same full name with other dates; raises LookupError."""
        return self._pair(_NAMESAKES)

    def twins(self) -> tuple[Row, Row]:
        """Two of the same family name and date; raises LookupError."""
        return self._pair(_TWINS)

    def accented(self) -> Row:
        """One with an accent and a hyphen; raises LookupError."""
        row: Row | None = self._connection.execute(_ACCENTED).fetchone()
        if row is None:
            raise LookupError("no such birth in this registry")
        return row

    def _pair(self, query: str) -> tuple[Row, Row]:
        row = self._connection.execute(query).fetchone()
        if row is None:
            raise LookupError("no such pair in this registry")
        return row[:4], row[4:]
