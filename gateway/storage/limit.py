"""How long a commit waits for the standbys: never for ever (DESIGN, section 9; docs/decisions/0018)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from gateway.errors import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So long a commit may take: the server's fsync, and its standbys' answers.
PATIENCE_SECONDS = 5.0
#: For so long after a wait that was in vain, nobody waits again: those who come are refused at once.
TROUBLE_SECONDS = 3.0
_LOOK_SECONDS = 0.25


class Waiting(Protocol):
    """A connection over which a commit is under way; both are called from another thread, and raise nothing."""

    def give_up(self) -> None:
        """Asks the server to wait no more; it answers with a warning, and the commit counts as failed."""
        ...

    def sever(self) -> None:
        """Ends the connection, without asking anybody and without waiting."""
        ...


class GivenUpError(StorageUnavailableError):
    """The commit took too long: it may be in, and nobody may count on it."""


class Limit:
    """Ends commits that wait too long, from a thread of its own, and then refuses those who come, for a while.

    The server's own statement_timeout is over before it waits for its standbys. Where the server does not hear that
    it is to give up either, its connection is severed after as long again: whoever leads a group commit comes back.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS, trouble: float = TROUBLE_SECONDS) -> None:
        """``patience`` and ``trouble`` in seconds."""
        self._patience = patience
        self._trouble = trouble
        self._lock = threading.Lock()
        self._began: dict[Waiting, float] = {}
        self._given_up: set[Waiting] = set()
        self._trouble_until = 0.0
        self._closed: threading.Event | None = None

    def check(self) -> None:
        """Raises StorageUnavailableError while it makes no sense to wait again."""
        if monotonic() < self._trouble_until:
            raise StorageUnavailableError("no standby has answered lately")

    @contextmanager
    def over(self, connection: Waiting) -> Iterator[None]:
        """Around a commit; raises GivenUpError where it took too long, however it ended."""
        with self._lock:
            self._began[connection] = monotonic()
            if self._closed is None:
                self._closed = threading.Event()
                threading.Thread(target=self._look_on, args=(self._closed,), name="commit-limit", daemon=True).start()
        given_up = False
        try:
            yield
        finally:
            with self._lock:
                del self._began[connection]
                given_up = connection in self._given_up
                self._given_up.discard(connection)
        if given_up:
            raise GivenUpError("the commit took too long")

    def close(self) -> None:
        """Ends the thread; another one begins with the next commit."""
        with self._lock:
            if self._closed is not None:
                self._closed.set()
                self._closed = None

    def _look_on(self, closed: threading.Event) -> None:
        while not closed.wait(_LOOK_SECONDS):
            for connection in self._late():
                connection.give_up()

    def _late(self) -> list[Waiting]:
        """Those to be given up now."""
        now = monotonic()
        with self._lock:
            late = [connection for connection, began in self._began.items() if now - began >= self._patience]
            if late:
                self._trouble_until = now + self._trouble
            fresh = [connection for connection in late if connection not in self._given_up]
            for connection in self._given_up.intersection(late):
                if now - self._began[connection] >= 2 * self._patience:
                    connection.sever()  # under the lock: its thread cannot have closed it, and its number is its own
            self._given_up.update(fresh)
        return fresh
