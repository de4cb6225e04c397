"""What a witness must never forget: the last checkpoint of each log that it cosigned, in a file of its own."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import replace_public
from gateway.errors import ConfigurationError
from gateway.ledger.note import verify_note

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.note import Checkpoint, LogKey

#: So many contradictory checkpoints are kept of one log; one is proof enough.
MOST_FORKS = 16


class Memory:
    """One file for each log, replaced durably: after a crash it holds the checkpoint before, or the new one.

    Whoever restores an older copy of this folder makes the witness sign a fork: a memory that was lost is a witness to
    retire, with its key.
    """

    def __init__(self, folder: Path) -> None:
        """Takes the folder for this process alone; raises ConfigurationError where another has it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigurationError("witness_running", path=folder) from None

    def close(self) -> None:
        """Lets another process have the folder."""
        os.close(self._lock)

    def last(self, key: LogKey) -> Checkpoint | None:
        """The log's last checkpoint that was kept; None if there never was one.

        Raises FormatError where the file is damaged: then nothing is cosigned any more.
        """
        try:
            return verify_note(self._path(key).read_bytes(), key)
        except FileNotFoundError:
            return None

    def keep(self, key: LogKey, note: bytes) -> None:
        """Returns once the note is on the disk in the place of the one before."""
        replace_public(self._path(key), note)

    def keep_fork(self, key: LogKey, note: bytes) -> None:
        """Keeps a checkpoint that contradicts the last one: both are signed, so each is proof against the log."""
        folder = self._folder / "forks"
        folder.mkdir(exist_ok=True, mode=0o700)
        stem = f"{self._path(key).stem}-"
        if sum(1 for _ in folder.glob(f"{stem}*")) < MOST_FORKS:
            with suppress(OSError):  # a full disk keeps nobody from being refused
                replace_public(folder / f"{stem}{sha256(note).hexdigest()[:16]}.checkpoint", note)

    def _path(self, key: LogKey) -> Path:
        # by hash: an origin may hold slashes, and is a stranger's text
        return self._folder / f"{sha256(key.name.encode()).hexdigest()[:32]}.checkpoint"
