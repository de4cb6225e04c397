"""One connection to PostgreSQL, as we need it: what was not replicated is not committed; the dead are known (L4)."""

from __future__ import annotations

import select
import socket
from contextlib import nullcontext, suppress
from os import dup
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from psycopg.errors import Diagnostic

    from gateway.storage.limit import Limit

#: libpq's least.
_CONNECT_SECONDS = 2
#: How long another transaction is waited for.
_LOCK_MILLISECONDS = 2000
#: So long a server on the network may leave us without a sign of life; and whoever cancels, without an answer.
_SILENT_MILLISECONDS = 8000
_IDLE_SECONDS, _INTERVAL_SECONDS, _PROBES = 3, 2, 3
_CANCEL_SECONDS = 2.0
#: Where the server waits for its standbys: the name that it gives in any language (its WARNING has SQLSTATE 01000).
_WAITS_FOR_STANDBYS = "SyncRepWaitForLSN"


class NotReplicatedError(psycopg.OperationalError):
    """The commit stands on this server alone: it "might not have been replicated", as the server warns."""


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose commit fails where the server has given up waiting for its synchronous standbys."""

    _unreplicated = False
    #: How long a commit may take; None where it waits for nobody.
    limit: Limit | None = None

    def __del__(self, *_: object) -> None:
        """No warning: a sign of life is kept until its process ends; the driver gives the socket back."""

    def notice(self, diagnostic: Diagnostic) -> None:
        """Told of what the server says beside its results."""
        if diagnostic.source_function == _WAITS_FOR_STANDBYS:
            self._unreplicated = True

    def commit(self) -> None:
        """Returns when the commit is as durable as it was to be.

        Raises psycopg.OperationalError otherwise, and GivenUpError where it took too long.
        """
        with self.bounded():
            super().commit()
            self.check_replicated()

    def bounded(self) -> AbstractContextManager[None]:
        """Around what commits: no longer than the limit."""
        return nullcontext() if self.limit is None else self.limit.over(self)

    def give_up(self) -> None:
        """From another thread: asks the server to wait no more (limit.Waiting)."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_CANCEL_SECONDS)

    def sever(self) -> None:
        """From another thread: ends the connection beneath the one who waits (limit.Waiting)."""
        with suppress(psycopg.Error, OSError), socket.socket(fileno=dup(self.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)

    def check_replicated(self) -> None:
        """Raises NotReplicatedError where the last commit stands on this server alone."""
        if self._unreplicated:
            self._unreplicated = False
            raise NotReplicatedError("the commit was not replicated")

    def is_alive(self) -> bool:
        """False once the server has ended it; asks the operating system only. For a connection that is idle."""
        if self.closed:
            return False
        # an idle connection has nothing to say but its end
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        return not waiting.poll(0)


def connect(url: str, *, durable: bool) -> Session:
    """A connection to the server that can write, of those that the URL names; raises psycopg.OperationalError."""
    session = Session.connect(
        url,
        target_session_attrs="read-write",
        connect_timeout=_CONNECT_SECONDS,
        tcp_user_timeout=_SILENT_MILLISECONDS,
        application_name="passerelle",
        keepalives_idle=_IDLE_SECONDS,
        keepalives_interval=_INTERVAL_SECONDS,
        keepalives_count=_PROBES,
    )
    session.add_notice_handler(session.notice)
    level = "on" if durable else "off"
    session.autocommit = True
    session.execute(
        f"SET synchronous_commit = {level}; SET lock_timeout = {_LOCK_MILLISECONDS}; SET timezone = 'UTC'; "
        # the server too: it would else keep the locks of a node that lost its power, the lead among them, for two hours
        f"SET tcp_keepalives_idle = {_IDLE_SECONDS}; SET tcp_keepalives_interval = {_INTERVAL_SECONDS}; "
        f"SET tcp_keepalives_count = {_PROBES}; SET tcp_user_timeout = {_SILENT_MILLISECONDS}"
    )
    session.autocommit = False
    return session
