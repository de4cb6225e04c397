"""The turn to write: one file lock for all threads and processes of a machine (docs/decisions/0007)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Turn:
    """The turn to write, over all threads and processes of one machine.

    SQLite's own busy handler sleeps and tries again: under load a writer can wait for seconds while others
    pass it. ``flock`` wakes the next one at once. Made after the fork: the lock belongs to the open file.
    A thread that has the turn can take it again.

    Where nobody has to be waited for, the interpreter's lock is kept (PyDLL): a thread that gives it away inside
    its turn gets it back only after the other threads' slices, and all writers of the machine wait meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._threads = threading.RLock()
        self._depth = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._flock = ctypes.PyDLL(None).flock

    def __enter__(self) -> None:
        self._threads.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        try:
            if self._flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB) != 0:
                fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._depth = 0
            self._threads.release()
            raise

    def take_if_free(self) -> bool:
        """Takes the turn unless somebody has it; give it back as at the end of a ``with``."""
        if not self._threads.acquire(blocking=False):
            return False
        if not self._depth and self._flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB) != 0:
            self._threads.release()
            return False
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Gives the file back; the turn cannot be taken after it, and may be closed again."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
