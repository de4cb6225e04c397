"""A lock that lives as long as a connection of its own: PostgreSQL's advisory locks of a session (L5).

Never behind a pooler that hands a session to several clients (docs/guides/postgresql.*.md).
"""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import TYPE_CHECKING

import psycopg

from gateway.errors import StorageUnavailableError
from gateway.storage.session import connect

if TYPE_CHECKING:
    from gateway.storage.session import Session

_TRY = "SELECT pg_try_advisory_lock(%s)"


class SessionLock:
    """Held until ``release``, or until the connection or its server is gone."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def attempt(cls, url: str, name: str) -> SessionLock | None:
        """The lock of this name, over all who use the database, on a connection of its own; None while another has it.

        Raises StorageUnavailableError.
        """
        try:
            session = connect(url, durable=False)
            session.autocommit = True
            if _attempt(session, name):
                return cls(session)
            session.close()
        except psycopg.Error as error:
            raise StorageUnavailableError(type(error).__name__) from error
        return None

    def is_held(self) -> bool:
        """False once the connection has ended, as far as this machine knows."""
        return self._session.is_alive()

    def release(self) -> None:
        """Ends the connection; the server lets go."""
        self._session.close()

    def remove(self) -> None:
        """The same: nothing is left of a session."""
        self.release()


class Prober:
    """Takes locks that nobody holds, one after the other, over one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Session | None = None
        self._lock = threading.Lock()

    def attempt(self, name: str) -> Probed | None:
        """The lock of this name, or None while another has it; raises StorageUnavailableError."""
        try:
            with self._lock:
                if self._session is None or not self._session.is_alive():
                    self._session = connect(self._url, durable=False)
                    self._session.autocommit = True
                session = self._session
            return Probed(session, name) if _attempt(session, name) else None
        except psycopg.Error as error:
            self.close()
            raise StorageUnavailableError(type(error).__name__) from error

    def close(self) -> None:
        """Lets go of everything that was taken."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()


class Probed:
    """A lock that a Prober has taken."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def is_held(self) -> bool:
        """False once the connection has ended."""
        return self._session.is_alive()

    def release(self) -> None:
        """Lets go of this one; raises StorageUnavailableError where that cannot be said, and the session ends."""
        try:
            self._session.execute("SELECT pg_advisory_unlock(%s)", (_key(self._name),))
        except psycopg.Error as error:
            self._session.close()
            raise StorageUnavailableError(type(error).__name__) from error

    def remove(self) -> None:
        """The same: nothing is left of a session."""
        self.release()


def _attempt(session: Session, name: str) -> bool:
    row = session.execute(_TRY, (_key(name),)).fetchone()
    return row is not None and bool(row[0])


def _key(name: str) -> int:
    """The 64 bits by which PostgreSQL knows a lock."""
    return int.from_bytes(sha256(f"passerelle {name}".encode()).digest()[:8], signed=True)
