"""Who lives, where several machines write to one database: a lock of the database for each (DESIGN L5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StorageUnavailableError
from gateway.ledger.locks import FileLives
from gateway.storage import is_postgresql, prober, session_lock

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from gateway.ledger.locks import Held, Lives

_LEAD = "sequencer"


def lives(url: str, folder: Path) -> Lives:
    """The lives of those who write to this database; ``folder`` has the lock files where it is on one machine."""
    return DatabaseLives(url) if is_postgresql(url) else FileLives(folder)


class DatabaseLives:
    """ledger.locks.Lives on a server: a connection for each, which ends with its process, on whatever machine."""

    def __init__(self, url: str) -> None:
        """Connects to nothing yet."""
        self._url = url
        self._prober = prober(url)

    def take(self, writer: UUID) -> Held:
        """The lock of a new writer."""
        held = session_lock(self._url, f"writer {writer}")
        if held is None:
            raise StorageUnavailableError("a new writer's lock is taken")
        return held

    def take_over(self, writer: UUID) -> Held | None:
        """The lock of a writer that is dead, or None while it lives; all over one connection, one after the other."""
        return self._prober.attempt(f"writer {writer}")

    def lead(self) -> Held | None:
        """The sequencer's lock, or None while another one leads."""
        return session_lock(self._url, _LEAD)

    def close(self) -> None:
        """Ends the connection over which it was looked."""
        self._prober.close()
