"""Private files: written once with mode 0600, read only while nobody else could."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = 0o077


class UnsafeFileError(Exception):
    """A private file that others can read (``readable``), or that belongs to somebody else (``foreign``)."""

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(f"{path}: {reason}, {detail}")
        self.reason = reason
        self.detail = detail


def write_private(path: Path, content: bytes) -> None:
    """Makes a file that only its owner reads; raises FileExistsError rather than overwrite one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Makes a file that all may read; raises FileExistsError rather than overwrite one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def read_private(path: Path) -> bytes:
    """The content of a private file.

    Raises:
        UnsafeFileError: others may read it, or its owner is not us.
        OSError: it is not there, or cannot be read.
    """
    # The descriptor is examined, not the name: nothing can be swapped in between.
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & _OTHERS:
            raise UnsafeFileError(path, "readable", f"{status.st_mode & 0o777:04o}")
        if status.st_uid != os.geteuid():
            raise UnsafeFileError(path, "foreign", f"{status.st_uid}")
        return file.read()


def replace_public(path: Path, content: bytes) -> None:
    """Puts a file that all may read in the place of another, whole or not at all, and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
