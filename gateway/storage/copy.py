"""A copy of a SQLite database as it is at one moment, while others write (SQLite's online backup)."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from gateway.errors import StorageUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """Writes all that is committed by now to a new file, 0600; nobody who writes meanwhile has to wait.

    Raises FileExistsError, and StorageUnavailableError where it cannot be read or written.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)  # in one step: it sees one state, which a write-ahead log keeps for it
    except sqlite3.Error as error:
        raise StorageUnavailableError(type(error).__name__) from error
