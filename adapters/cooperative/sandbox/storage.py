"""The sandbox registry's own SQLite database: counts of a waiting list, written once, then only read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

#: day, region's code, definition, children who wait, their waits in tenths of months added up
Row = tuple[str, str, str, int, int]

_CREATE = """
CREATE TABLE counts (
    day TEXT NOT NULL, region TEXT NOT NULL, definition TEXT NOT NULL, waiting INTEGER NOT NULL,
    wait_tenths INTEGER NOT NULL, PRIMARY KEY (day, region, definition)
) WITHOUT ROWID
"""
_DAY = "SELECT max(day) FROM counts WHERE day <= ?"
_NEWEST = "SELECT max(day) FROM counts"
_OF_DAY = """
SELECT region, definition, waiting, wait_tenths FROM counts WHERE day = ? AND (? IS NULL OR region = ?)
ORDER BY region, definition
"""


def write_counts(path: Path, rows: Iterable[Row]) -> None:
    """Makes the database; raises FileExistsError rather than touch one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_CREATE)
        connection.executemany("INSERT INTO counts VALUES (?, ?, ?, ?, ?)", rows)


class WaitingList:
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

    def counted_day(self, day: str) -> str | None:
        """The last day counted, up to this one; None where nothing was counted yet."""
        found: str | None = self._connection.execute(_DAY, (day,)).fetchone()[0]
        return found

    def newest(self) -> str:
        """The last day counted."""
        return str(self._connection.execute(_NEWEST).fetchone()[0])

    def counts(self, day: str, region: str | None) -> list[tuple[str, str, int, int]]:
        """Region, definition, children and tenths of months of a counted day, of one region or of all."""
        return self._connection.execute(_OF_DAY, (day, region, region)).fetchall()
