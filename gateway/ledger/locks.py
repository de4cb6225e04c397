"""A writer's sign of life: a file locked while its process lives; the kernel lets go of it for the dead."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


class WriterLock:
    """One writer's lock, held; ``release`` or the process's end lets it go."""

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self._path = path

    @classmethod
    def take(cls, directory: Path, writer: UUID) -> WriterLock:
        """The lock of a new writer; raises OSError where the directory cannot be written."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / f"{writer}.lock"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(file, path)

    @classmethod
    def take_over(cls, directory: Path, writer: UUID) -> WriterLock | None:
        """The lock of a writer that is dead, or None while it lives."""
        # a file that is not there is a writer that is dead: it makes the file before its row
        return cls.attempt(directory / f"{writer}.lock")

    @classmethod
    def attempt(cls, path: Path) -> WriterLock | None:
        """The lock on this file, or None while another holds it."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return cls(file, path)

    def release(self) -> None:
        """Lets go, once; the file stays, for the sequencer to close the writer."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def remove(self) -> None:
        """Lets go of a writer that is closed for good."""
        self._path.unlink(missing_ok=True)
        self.release()
