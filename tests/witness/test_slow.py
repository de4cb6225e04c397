"""Strangers who send slowly: the places of a witness's listener are few, and none is held for long."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from gateway.witness.server import WitnessServer
from gateway.witness.witness import Reply
from tests.adapters.fakes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 4000\r\n\r\n"


@pytest.fixture
def server() -> Iterator[WitnessServer]:
    listening = WitnessServer("127.0.0.1", 0, lambda _: Reply(200, b"seen\n"), request_seconds=2.0)
    listening.start()
    yield listening
    listening.stop()


@pytest.mark.parametrize(
    "sent", [b"", HEAD, b"POST /add-checkpoint HTTP/1.1\r\nX-Slow: "], ids=["nothing", "body", "head"]
)
def test_a_request_that_trickles_is_cut(server: WitnessServer, sent: bytes) -> None:
    cut = False
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        for _ in range(200):
            try:
                connection.sendall(b"x" if sent else b"")
            except OSError:
                cut = True
                break
            connection.settimeout(0.1)
            try:
                cut = connection.recv(100) == b""
                break
            except TimeoutError:
                continue
            except OSError:
                cut = True
                break
    assert cut, "it was listened to for twenty seconds"


def later(server: WitnessServer, known: list[float]) -> list[float]:
    """When the one connection ends, once that is another time than those known."""
    assert until(lambda: any(end not in known for end in server._server._ends.values()), 20)
    return list(server._server._ends.values())


def test_each_answer_gives_the_next_request_its_own_time(server: WitnessServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        ends: list[float] = []
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n")
            found = b""
            while not found.endswith(b"alive\n") and (piece := connection.recv(1000)):
                found += piece
            ends += later(server, ends)
    assert ends == sorted(set(ends))
