"""The log's directory by its names alone: what must be there, what may, and what has no place (DESIGN L3, L11)."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.audit.verdict import Fault, Problem
from gateway.ledger.side_files import FOLDER as SIDE_FILES
from gateway.ledger.side_files import size_of
from gateway.ledger.tiles import HEIGHT, WIDTH, Tile, entries_path, evidence_path, hashes_path, tiles_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKPOINT = "checkpoint"
_OBJECT = re.compile(r"objects/[0-9a-f]{64}")
_TILE = re.compile(
    r"(?:tile/(?P<level>[0-7]|entries)|evidence)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[0-9]{1,3}))?"
)
_FOLDERS = frozenset({"tile", "tile/entries", "evidence", "objects", SIDE_FILES})
#: Of one file, in bytes.
LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Listing:
    """The names in the directory, sorted out for one size.

    Attributes:
        objects: paths below ``objects/``.
        later: tiles and bundles of a later size, which a copy taken while the log grew may have.
        problems: what is missing, unknown, or no regular file.
        anchors: paths below ``anchors/``.
    """

    objects: tuple[str, ...]
    later: tuple[str, ...]
    problems: tuple[Problem, ...]
    anchors: tuple[str, ...] = ()


class Source(Protocol):
    """Where a log is read from: a folder, or an address (remote.py)."""

    @property
    def listed(self) -> bool:
        """Whether ``listing`` names the files that are missing."""
        ...

    def read(self, path: str) -> bytes:
        """A file's bytes; raises Problem (file_missing, file_irregular)."""
        ...

    def listing(self, size: int) -> Listing:
        """All names, judged by those that a log of this size has."""
        ...


class LogFolder:
    """One copy of a log, read only."""

    listed = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes:
        """A file's bytes; raises Problem (file_missing, file_irregular), never OSError. Links are not followed."""
        try:
            handle = os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise Problem(Fault.FILE_MISSING, "the file is not there", file=path) from None
        except OSError:
            raise Problem(Fault.FILE_IRREGULAR, "the file cannot be opened", file=path) from None
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            os.close(handle)  # a folder cannot even be made a file object
            raise Problem(Fault.FILE_IRREGULAR, "no regular file, or too large", file=path)
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def listing(self, size: int) -> Listing:
        """All names, judged by those that a log of this size has."""
        expected = {CHECKPOINT, *(path for tile in tiles_of(size) for path in tile.paths)}
        present: set[str] = set()
        folders: set[str] = set()
        problems: list[Problem] = []
        for path, mode in self._walk():
            if stat.S_ISDIR(mode):
                folders.add(path)
            elif stat.S_ISREG(mode):
                present.add(path)
            else:
                problems.append(Problem(Fault.FILE_IRREGULAR, "a link or a special file", file=path))
        objects = {path for path in present if _OBJECT.fullmatch(path)}
        anchors = {path for path in present if _is_side_file(path)}
        later = {path for path in present - expected - objects if _is_later(path, size)}
        problems += [Problem(Fault.FILE_MISSING, "the file is not there", file=path) for path in expected - present]
        unknown = present - expected - objects - anchors - later
        problems += [Problem(Fault.FILE_UNKNOWN, "no such file in a log of this size", file=path) for path in unknown]
        # a folder has its place by the files that belong into it
        known = _FOLDERS | {folder for path in expected | later for folder in _parents(path)}
        problems += [Problem(Fault.FILE_UNKNOWN, "no such folder", file=path) for path in folders - known]
        problems.sort(key=lambda problem: problem.file or "")
        return Listing(tuple(sorted(objects)), tuple(sorted(later)), tuple(problems), tuple(sorted(anchors)))

    def _walk(self) -> Iterator[tuple[str, int]]:
        waiting = [""]
        while waiting:
            below = waiting.pop()
            try:
                with os.scandir(self._folder / below) as entries:
                    found = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
            except OSError:
                found = [(".", 0)]  # a folder that cannot be read is no folder: reported as irregular
            for name, mode in found:
                # bytes that are no UTF-8 must not break a report: they are unknown under any spelling
                path = f"{below}{name}".encode(errors="backslashreplace").decode()
                yield path, mode
                if stat.S_ISDIR(mode):
                    waiting.append(f"{below}{name}/")


def place_of(path: str) -> Tile | None:
    """Which tile of hashes, or with level -1 which bundle, a path names; None for any other spelling."""
    match = _TILE.fullmatch(path)
    if match is None:
        return None
    level, name, width = match["level"], match["index"], int(match["width"] or WIDTH)
    index = int(name.replace("x", "").replace("/", ""))
    if level is None:
        tile, spelled = Tile(-1, index, width), evidence_path(index, width)
    elif level == "entries":
        tile, spelled = Tile(-1, index, width), entries_path(index, width)
    else:
        tile, spelled = Tile(int(level), index, width), hashes_path(int(level), index, width)
    return tile if spelled == path and 0 < width <= WIDTH else None


def _is_side_file(path: str) -> bool:
    folder, _, name = path.partition("/")
    return folder == SIDE_FILES and size_of(name) is not None


def _is_later(path: str, size: int) -> bool:
    tile = place_of(path)
    if tile is None:
        return False
    count = size >> (HEIGHT * max(tile.level, 0))
    return tile.index * WIDTH + tile.width > count


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
