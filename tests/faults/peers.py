"""Peers that are slow, silent, or do not read: many of them, each over a real connection."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.night import Night

_SPEAK = 4


@contextmanager
def idle_connections(night: Night, count: int, speak: int = _SPEAK) -> Iterator[list[http.client.HTTPSConnection]]:
    """Keep-alive connections; on the first of them one read was answered, and nothing is said since."""
    context = night.context(night.tls())
    with ExitStack() as stack:
        made: list[http.client.HTTPSConnection] = []
        for number in range(count):
            connection = http.client.HTTPSConnection("localhost", night.ports.gateway, context=context, timeout=20)
            stack.callback(connection.close)
            connection.connect()
            if number < speak:
                connection.request("GET", "/log/checkpoint")
                assert connection.getresponse().read()
            made.append(connection)
        yield made


@contextmanager
def secured(night: Night, count: int, first: bytes, *, room: int = 0) -> Iterator[list[ssl.SSLSocket]]:
    """Connections that have said these bytes so far; ``room`` is how much they take in that is not read."""
    context = night.context(night.tls())
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            plain = socket.socket()
            stack.callback(plain.close)
            plain.settimeout(10)
            if room:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            plain.connect(("127.0.0.1", night.ports.gateway))
            connection = context.wrap_socket(plain, server_hostname="localhost")
            stack.callback(connection.close)
            connection.sendall(first)
            made.append(connection)
        yield made


def drip(connections: list[ssl.SSLSocket], byte: bytes) -> list[ssl.SSLSocket]:
    """One byte more on each; those on which it could still be said."""
    alive = []
    for connection in connections:
        try:
            connection.setblocking(False)  # noqa: FBT003  the library's signature
            try:
                if connection.recv(1) == b"":
                    continue  # it was closed
            except (ssl.SSLWantReadError, BlockingIOError):
                pass
            connection.setblocking(True)  # noqa: FBT003  the same
            connection.sendall(byte)
        except OSError:
            continue
        alive.append(connection)
    return alive


def closed(connections: list[ssl.SSLSocket] | list[socket.socket]) -> int:
    """On how many the other side has said that it is over."""
    count = 0
    for connection in connections:
        connection.settimeout(0.01)
        try:
            count += connection.recv(65536) == b""
        except TimeoutError:
            continue
        except OSError:
            count += 1
    return count
