"""A connection in the worker's loop: it leaves room for others between two requests that wait for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent
from gunicorn.config import Config

from gateway.http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ASK = b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\n\r\n"
_MANY = 40


class Eager:
    """A peer, behind its TLS, that has said everything at once and takes every answer at once."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.heard = b""

    def do_handshake(self) -> None:
        """Done."""

    def getpeercert(self, **_how: bool) -> bytes:
        return b""

    def recv(self, size: int) -> bytes:
        part, self._said = self._said[:size], self._said[size:]
        return part

    def send(self, data: bytes) -> int:
        self.heard += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.heard += data

    def close(self) -> None:
        """Gone."""


class House:
    """A worker, as far as a connection looks at it."""

    alive = True
    exchange = None
    server = ("127.0.0.1", 8443)

    def __init__(self, peer: Eager) -> None:
        self.cfg = Config()
        self.context: Any = self
        self._peer = peer
        self.errors: list[BaseException] = []

    def wrap_socket(self, _raw: object, **_how: object) -> Eager:
        return self._peer

    def application(self, _environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def turned_away(self, _what: str, error: BaseException) -> None:
        self.errors.append(error)

    def failed(self, error: BaseException) -> None:
        self.errors.append(error)


def test_who_asks_for_much_in_one_breath_does_not_keep_the_loop_to_itself() -> None:
    peer = Eager(_ASK * _MANY)
    house = House(peer)
    raw: Any = None
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    beside = gevent.spawn(other)
    gevent.spawn(Connection(raw, ("127.0.0.1", 1), house).serve).join(40)
    beside.kill()
    assert house.errors == []
    assert peer.heard.count(b"HTTP/1.1 200 OK") == _MANY
    assert turns >= _MANY
