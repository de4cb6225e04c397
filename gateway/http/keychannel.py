"""How a worker's loop asks the process that has the keys: many greenlets' questions on one connection, in order."""

from __future__ import annotations

import threading
from collections import deque
from socket import AF_UNIX, SOCK_STREAM
from typing import TYPE_CHECKING

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from gevent.socket import socket as loop_socket

from gateway.errors import KeystoreError
from gateway.keys import frames
from gateway.keys.remote import PATIENCE_SECONDS, BlockingChannel, connect

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536


class LoopChannel:
    """keys.remote.Channel for the loop of the thread that makes it; other threads have a connection of their own."""

    def __init__(self, path: Path, role: str) -> None:
        self._path = path
        self._role = role
        self._thread = threading.get_ident()
        self._elsewhere = BlockingChannel(path, role)
        self._line: _Line | None = None
        self._making = BoundedSemaphore()

    def ask(self, request: bytes) -> bytes:
        """The reply's frame; raises KeystoreError where the other process does not answer."""
        if threading.get_ident() != self._thread:
            return self._elsewhere.ask(request)
        return self._living().ask(request)

    def _living(self) -> _Line:
        line = self._line
        if line is None or line.dead:
            with self._making:
                line = self._line
                if line is None or line.dead:
                    line = self._line = _Line(self._path, self._role)
        return line

    def close(self) -> None:
        """Ends the connections."""
        self._elsewhere.close()
        if self._line is not None:
            self._line.end()


class _Line:
    """One connection: questions go out as they come, a greenlet hands each reply to the oldest that waits."""

    def __init__(self, path: Path, role: str) -> None:
        self.dead = False
        self._waiting: deque[AsyncResult[bytes]] = deque()
        self._sending = BoundedSemaphore()
        try:
            self._connection = connect(loop_socket(AF_UNIX, SOCK_STREAM), path, role)
        except OSError:
            self.dead = True
            raise KeystoreError("keystore_unreachable") from None
        except BaseException:
            self.dead = True
            raise
        self._connection.settimeout(None)
        self._reader = gevent.spawn(self._read)

    def ask(self, request: bytes) -> bytes:
        mine: AsyncResult[bytes] = AsyncResult()
        try:
            # in the order in which they are waited for, and none into another
            with self._sending:
                self._waiting.append(mine)
                self._connection.sendall(request)
            return mine.get(timeout=PATIENCE_SECONDS) or b""
        except (OSError, gevent.Timeout):
            # a reply that comes late would be taken for another's
            self.end()
            raise KeystoreError("keystore_unreachable") from None

    def end(self) -> None:
        self.dead = True
        self._connection.close()
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            each.set_exception(KeystoreError("keystore_unreachable"))

    def _read(self) -> None:
        incoming = frames.Frames()
        try:
            while data := self._connection.recv(_CHUNK):
                for frame in incoming.feed(data):
                    self._waiting.popleft().set(frame)
        except (OSError, frames.FrameError, IndexError):
            pass
        self.end()
