"""The published log as files that belong to one checkpoint, while it grows (DESIGN L3, L11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import RecoveryError
from gateway.ledger.note import verify_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.tiles import WIDTH, partial_tiles, tiles_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ledger.note import Checkpoint, LogKey

_TRIES = 100
#: Beside the tree's own files: whatever is in them by now, for they only grow.
_SIDE = ("objects", "anchors")


@dataclass(frozen=True, slots=True)
class LogCopy:
    """A log at one checkpoint: what would be gone when it grows is held in memory, the rest stays where it is.

    Attributes:
        checkpoint: the size and root, signed by the log's key.
        held: file names and bytes: the checkpoint and the partial files under it.
        lasting: names of the files that are never removed.
    """

    checkpoint: Checkpoint
    held: dict[str, bytes] = field(repr=False)
    lasting: tuple[str, ...] = field(repr=False)


def copy_of(directory: Path, key: LogKey) -> LogCopy:
    """The log as its present checkpoint has it; raises RecoveryError where it has none, or lacks files under it."""
    held = _held(directory, key)
    checkpoint = verify_note(held[CHECKPOINT], key)
    full = (path for tile in tiles_of(checkpoint.size) if tile.width == WIDTH for path in tile.paths)
    return LogCopy(checkpoint, held, (*full, *_side_files(directory)))


def _held(directory: Path, key: LogKey) -> dict[str, bytes]:
    missing = CHECKPOINT
    for _ in range(_TRIES):
        try:
            note = (directory / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            raise RecoveryError("recover_no_log", folder=directory) from None
        names = [path for tile in partial_tiles(verify_note(note, key).size) for path in tile.paths]
        try:
            return {CHECKPOINT: note} | {name: (directory / name).read_bytes() for name in names}
        except FileNotFoundError as error:
            missing = str(error.filename)  # it has grown meanwhile: the next checkpoint is there
    raise RecoveryError("recover_log_broken", file=missing)


def _side_files(directory: Path) -> Iterator[str]:
    for folder in _SIDE:
        for path in sorted((directory / folder).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(directory))
