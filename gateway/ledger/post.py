"""One bounded POST to a server of somebody else's: a witness, a timestamp authority. No proxy, no redirect."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_ANSWER = 1 << 18
_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class Posted:
    """What came back."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


class PostError(Exception):
    """Nothing came that could be looked at; ``reason`` is one stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Post(Protocol):
    """How a server is asked."""

    def __call__(self, url: str, body: bytes, content_type: str, seconds: float, /) -> Posted:
        """Its answer within so many seconds; raises PostError."""
        ...


class HttpPost:
    """``Post`` over a connection that is kept; one for each server, used by one thread at a time."""

    def __init__(self, ca_file: str | None = None) -> None:
        """``ca_file`` stands in for the system's authorities."""
        self._open = _Open()
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Bounded(self._open))
        if ca_file is not None:
            self._session.verify = ca_file

    def __call__(self, url: str, body: bytes, content_type: str, seconds: float, /) -> Posted:
        """Its answer, of at most 256 KiB; raises PostError: ``unreachable``, ``too_large``, ``too_slow``."""
        end = time.monotonic() + seconds
        headers = {"Content-Type": content_type, "Accept-Encoding": "identity"}
        try:
            with (
                self._open.until(seconds),
                self._session.post(
                    url, data=body, headers=headers, timeout=seconds, allow_redirects=False, stream=True
                ) as answer,
            ):
                content = b""
                for chunk in answer.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise PostError("too_large")
                if time.monotonic() > end:  # what ends so may have been cut by us
                    raise PostError("too_slow")
                return Posted(answer.status_code, answer.headers.get("Content-Type", ""), content)
        except requests.Timeout:
            raise PostError("too_slow") from None
        except (requests.RequestException, ValueError):
            raise PostError("too_slow" if time.monotonic() > end else "unreachable") from None


class _Open:
    """The sockets of one session, which are shut at the end of a call's time, whatever is being waited for.

    The libraries' timeouts are for one read each: an answer that trickles would outlive any of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._call = 0
        self._late = False

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        """A call that may take so long."""
        with self._lock:
            self._call, self._late = self._call + 1, False
        timer = threading.Timer(seconds, self._shut, (self._call,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def add(self, made: socket.socket) -> None:
        """A connection of the present call; raises TimeoutError where its time is over."""
        with self._lock:
            if self._late:
                raise TimeoutError
            self._sockets.add(made)

    def _shut(self, call: int) -> None:
        with self._lock:
            if call != self._call:
                return
            self._late = True
            for one in list(self._sockets):
                with suppress(OSError):
                    # the plain one, under TLS too: whoever reads finds an end
                    socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Bounded(HTTPAdapter):
    """Connects as requests does, and tells of each socket."""

    def __init__(self, opened: _Open) -> None:
        self._opened = opened
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        opened = self._opened

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                opened.add(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()  # the handshake as a whole has the timeout, as Python's ssl counts it
                opened.add(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
