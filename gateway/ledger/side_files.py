"""The log's side files, ``anchors/``: kept checkpoints and their timestamps, written once and never again (L3, L8)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.locks import exclusive

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

FOLDER = "anchors"
#: ``<size>.checkpoint`` and ``<size>.<authority>.tsr``
_NAME = re.compile(r"(?P<size>[1-9][0-9]{0,18})\.(?:checkpoint|(?P<authority>[a-z0-9][a-z0-9-]{0,62})\.tsr)")


def checkpoint_name(size: int) -> str:
    """The kept checkpoint of a size."""
    return f"{size}.checkpoint"


def token_name(size: int, authority: str) -> str:
    """An authority's token over it."""
    return f"{size}.{authority}.tsr"


def size_of(name: str) -> int | None:
    """The size that a side file's name speaks of; None for any other name."""
    match = _NAME.fullmatch(name)
    return None if match is None else int(match["size"])


def authority_of(name: str) -> str | None:
    """The authority whose token a side file is; None for a kept checkpoint."""
    match = _NAME.fullmatch(name)
    return None if match is None else match["authority"]


class SideFiles:
    """Writes them as the publisher writes its files: whole, durably, and never over another."""

    def __init__(self, log: Path, scratch: Path) -> None:
        """``log`` is the log's directory; ``scratch`` lies beside it, on the same file system."""
        self._folder = log / FOLDER
        self._scratch = scratch

    def alone(self) -> AbstractContextManager[None]:
        """Nobody else adds meanwhile: a lead that was held up may come late, while its successor is at work."""
        return exclusive(self._scratch / "anchoring.lock")

    def names_after(self, size: int) -> list[str]:
        """The files that speak of a larger size, in the order of sizes."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted((name for name in names if (size_of(name) or 0) > size), key=lambda name: (size_of(name), name))

    def read(self, name: str) -> bytes:
        """A file's bytes; raises OSError."""
        return (self._folder / name).read_bytes()

    def add(self, name: str, content: bytes) -> None:
        """Returns once the file is on the disk; raises LedgerError where it is there with other bytes.

        To be called ``alone``: the temporary file has one name.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        path, temporary = self._folder / name, self._scratch / "anchoring"
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            if path.read_bytes() != content:
                raise LedgerError(f"{path} is there with other bytes") from None
        temporary.unlink()
        for folder in (self._folder, self._folder.parent):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
