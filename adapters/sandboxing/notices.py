"""The notices that an authority holds: each number once, however often it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    number TEXT PRIMARY KEY, child TEXT NOT NULL, event TEXT NOT NULL, day TEXT NOT NULL, permit TEXT NOT NULL,
    region TEXT NOT NULL, place INTEGER NOT NULL
)
"""
_TAKE = """
INSERT INTO notices SELECT :number, :child, :event, :day, :permit, :region, COUNT(*) + 1 FROM notices WHERE true
ON CONFLICT DO NOTHING
"""


class Notices:
    """Its database, used by all threads."""

    def __init__(self, url: str) -> None:
        """Makes its table where there is none."""
        self._engine = create_engine(url, connect_args={"timeout": 30})
        with self._engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.execute(text(_SCHEMA))

    def take(self, notice: Mapping[str, str]) -> bool:
        """Whether it is new, and now kept; one whose number is known changes nothing."""
        with self._engine.begin() as connection:
            return connection.execute(text(_TAKE), dict(notice)).rowcount == 1

    def dispose(self) -> None:
        """Closes every connection."""
        self._engine.dispose()
