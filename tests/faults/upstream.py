"""The registry's port in trouble: a TLS server with the registry's keys that is slow, torn, endless or silent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.attacks.upstream import Asked, server_context
from tests.exchange.live import read_issued

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Behaviour = Callable[["Talk"], None]

_LONGEST = 30.0


class Talk:
    """One request, and the connection on which to answer it."""

    def __init__(self, connection: ssl.SSLSocket, asked: Asked, over: threading.Event) -> None:
        self.connection = connection
        self.asked = asked
        self.over = over

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, body: bytes | None = None) -> None:
        """A whole answer, and the connection is kept."""
        self.say(head(len(body := self.asked.answer() if body is None else body)) + body)


def head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % length


def answers(talk: Talk) -> None:
    """As it should."""
    talk.answer()


def hangs(talk: Talk) -> None:
    """Says nothing, for as long as the test lasts."""
    talk.over.wait(_LONGEST)


def ends_at_once(talk: Talk) -> None:
    """Closes the connection."""
    raise ConnectionAbortedError


def resets_in_the_middle(talk: Talk) -> None:
    """Half of an answer, then a reset."""
    body = talk.asked.answer()
    talk.say(head(len(body)) + body[: len(body) // 2])
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError


def answers_another(talk: Talk) -> None:
    """The signed answer to another request."""
    talk.answer(talk.asked.answer(relates_to="urn:uuid:00000000-0000-4000-8000-000000000000"))


def ten_mebibytes(talk: Talk) -> None:
    """As many spaces."""
    talk.say(head(10 << 20))
    for _ in range(160):
        talk.say(b" " * 65536)


def trickles_its_body(talk: Talk) -> None:
    """A byte of the answer ten times a second, which is never long enough for a timeout of one read."""
    body = talk.asked.answer()
    talk.say(head(len(body)))
    _trickle(talk, body)


def trickles_its_head(talk: Talk) -> None:
    """The same, before the answer has begun."""
    _trickle(talk, b"HTTP/1.1 200 OK\r\n" + b"X-Padding: yes\r\n" * 1000)


def _trickle(talk: Talk, data: bytes) -> None:
    for byte in data:
        talk.say(bytes([byte]))
        if talk.over.wait(0.1):
            return


class Troubled:
    """A server of its own threads; ``behaviour`` is asked for each request, ``requests`` counts them."""

    def __init__(self, folder: Path, port: int) -> None:
        self._context = server_context(folder / "tls", folder / "caller-root.pem")
        self._key = read_issued(folder / "signing")
        self._over = threading.Event()
        self.behaviour: Behaviour = answers
        self.handshakes = True
        self.requests = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def behaving(self, behaviour: Behaviour, *, handshakes: bool = True) -> Iterator[None]:
        """So, for as long as it lasts; whoever waits then is let go."""
        self.behaviour, self.handshakes = behaviour, handshakes
        try:
            yield
        finally:
            self.behaviour, self.handshakes = answers, True
            self._over.set()
            self._over = threading.Event()

    def let_go(self) -> None:
        """Ends every connection that is there."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(_LONGEST)
        with suppress(OSError, ValueError), plain:
            if not self.handshakes:
                self._over.wait(_LONGEST)
                return
            with self._context.wrap_socket(plain, server_side=True) as connection:
                self._open.add(connection)
                try:
                    while data := _request(connection):
                        self.requests += 1
                        self.behaviour(Talk(connection, Asked(data, self._key, None), self._over))
                finally:
                    self._open.discard(connection)


def _request(connection: ssl.SSLSocket) -> bytes:
    """The body of the next request; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return b""
        data += part
    top, _, body = data.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
    length = int(lines[b"content-length"])
    until = time.monotonic() + _LONGEST
    while len(body) < length and time.monotonic() < until:
        body += connection.recv(65536)
    return body
