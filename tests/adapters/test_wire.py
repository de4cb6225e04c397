"""A kept connection on which something waits that nobody asked for is not used again."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from adapters.channel import Channel, Endpoint
from certs.profiles import Profile

from .fakes import Organisation, ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


#: Larger than what http.client reads ahead: the answer behind it stays within TLS.
LARGE = 12_000
STALE = answer(b"stale")


class Server:
    """Answers the number of the connection; ``more``: what it sends with an answer, in the same TLS record."""

    def __init__(self, folder: Path) -> None:
        self.connections = 0
        self.more = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self._listener = socket.create_server(("localhost", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(taken, self.connections), daemon=True).start()

    def _serve(self, taken: socket.socket, number: int) -> None:
        with suppress(OSError), closing(self._context.wrap_socket(taken, server_side=True)) as connection:
            asked = b""
            while received := connection.recv(65536):
                asked += received
                if asked.endswith(b"\r\n\r\n"):
                    asked = b""
                    connection.sendall(answer(str(number).encode() * LARGE) + self.more)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    Organisation("upstream", Profile.TLS_SERVER).write(tmp_path)
    with closing(Server(tmp_path)) as made:
        yield made


@pytest.fixture
def channel(server: Server, tmp_path: Path) -> Channel:
    address = f"https://localhost:{server.port}/"
    files = (tmp_path / "root.pem", tmp_path / "tls.pem", tmp_path / "tls.key")
    return Channel(Endpoint(address, *files), ShiftedClock(), "text/plain")


def asked(channel: Channel) -> bytes:
    return channel.send("GET", "/", {}, b"", 20).body


def test_a_connection_is_kept(server: Server, channel: Channel) -> None:
    assert [asked(channel) for _ in range(3)] == [b"1" * LARGE] * 3
    assert server.connections == 1


def test_an_answer_that_nobody_asked_for_is_nobody_s(server: Server, channel: Channel) -> None:
    server.more = STALE
    assert [asked(channel) for _ in range(3)] == [str(number).encode() * LARGE for number in (1, 2, 3)]
