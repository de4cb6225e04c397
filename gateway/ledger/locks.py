"""Signs of life: what a process holds while it lives, and what is let go of for the dead (DESIGN L4, L5).

On one machine a locked file, of which the kernel lets go; with several machines a lock of the database's session
(gateway.ledger.storage.lives). They are for liveness: what is safe is decided by the writer's row and the log's state.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

LEAD = "sequencer.lock"


class Held(Protocol):
    """A sign of life that this process holds."""

    def is_held(self) -> bool:
        """False once it is lost: somebody else may have it by now. Asks nobody far away."""
        ...

    def release(self) -> None:
        """Lets go, once; the sequencer finds the writer dead, and closes it."""
        ...

    def remove(self) -> None:
        """Lets go of a writer that is closed for good, or never was."""
        ...


class Lives(Protocol):
    """Who lives, over all processes that write to one database. OSError or StorageUnavailableError: cannot be known."""

    def take(self, writer: UUID) -> Held:
        """The sign of a new writer; to be taken before its row is there."""
        ...

    def take_over(self, writer: UUID) -> Held | None:
        """The sign of a writer that is dead, or None while it lives."""
        ...

    def lead(self) -> Held | None:
        """The sequencer's, or None while another one leads."""
        ...

    def close(self) -> None:
        """Gives back what looking needed; what is held stays."""
        ...


class FileLives:
    """Lives of the processes of one machine: a folder of lock files, on a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, writer: UUID) -> WriterLock:
        """The lock of a new writer; raises OSError where the folder cannot be written."""
        return WriterLock.take(self._folder, writer)

    def take_over(self, writer: UUID) -> WriterLock | None:
        """The lock of a writer that is dead, or None while it lives."""
        return WriterLock.take_over(self._folder, writer)

    def lead(self) -> WriterLock | None:
        """The sequencer's lock, or None while another process of this machine has it."""
        return WriterLock.attempt(self._folder / LEAD)

    def close(self) -> None:
        """Nothing is kept open."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits until nobody else is in such a block of this file, in any process of any machine that shares it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class WriterLock:
    """One lock file, held; ``release`` or the process's end lets it go."""

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

    def is_held(self) -> bool:
        """True until it is let go of: the kernel takes no lock away."""
        return self._file >= 0

    def release(self) -> None:
        """Lets go, once; the file stays, for the sequencer to close the writer."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def remove(self) -> None:
        """Lets go of a writer that is closed for good."""
        self._path.unlink(missing_ok=True)
        self.release()
