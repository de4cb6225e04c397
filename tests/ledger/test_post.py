"""One bounded POST: whoever answers slowly on purpose is left when the time is over, at whatever point."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gateway.ledger.post import HttpPost, PostError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#: A tenth of a second for each byte that trickles: half a minute, unless the connection is cut.
LONG = 300


class Slow:
    """Answers each connection with the bytes of ``at_once``, then with ``trickling``, byte by byte."""

    def __init__(self) -> None:
        self.at_once = b""
        self.trickling = b""
        self.cut = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(1 << 16)
            connection.sendall(self.at_once)
            for byte in self.trickling:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    self.cut.set()
                    return
                threading.Event().wait(0.1)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("at_once", "trickling"),
    [
        (HEAD + b"Content-Length: 300\r\n\r\n", b"x" * LONG),
        (HEAD + b"\r\n", b"x" * LONG),
        (HEAD + b"Connection: close\r\nContent-Length: 300\r\n\r\n", b"x" * LONG),
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: " + b"x" * LONG),
    ],
    ids=["body", "body to the end", "body of a connection to be closed", "head"],
)
def test_an_answer_that_trickles_is_cut(slow: Slow, at_once: bytes, trickling: bytes) -> None:
    slow.at_once, slow.trickling = at_once, trickling
    post = HttpPost()
    with pytest.raises(PostError, match="too_slow"):
        post(slow.url, b"question", "text/plain", 0.3)
    assert slow.cut.wait(20), "it was heard to its end"
    slow.at_once, slow.trickling = HEAD + b"Content-Length: 2\r\n\r\nok", b""
    assert post(slow.url, b"question", "text/plain", 20).body == b"ok"
