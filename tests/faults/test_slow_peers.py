"""Bodies and heads a byte a second, half handshakes, hundreds of idle connections, answers that nobody reads."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gateway.http.connection import PATIENCE_SECONDS
from tests.adapters.fakes import until
from tests.exchange.live import wait
from tests.faults.night import FULL, Callers, open_files
from tests.faults.peers import closed, drip, idle_connections, secured
from tests.http.test_wire import head

if TYPE_CHECKING:
    from tests.faults.night import Night

_SLOW = 64
_IDLE = 500
_DEAF = 4


def test_who_is_slow_keeps_nobody_waiting_and_is_let_go(night: Night) -> None:
    request = night.draft().signed()
    whole = head(request, {"Content-Length": str(len(request.body))})
    with ExitStack() as stack:
        callers = stack.enter_context(Callers(night, 2))
        bodies = stack.enter_context(secured(night, _SLOW, whole + request.body[:1]))
        heads = stack.enter_context(secured(night, _SLOW, whole[:40]))
        halves = []
        for _ in range(_SLOW):
            half = socket.create_connection(("localhost", night.ports.gateway), timeout=10)
            stack.callback(half.close)
            half.sendall(b"\x16\x03\x01")
            halves.append(half)
        slow = [*bodies, *heads]
        alive = slow
        for second in range(int(PATIENCE_SECONDS) + 3):
            assert callers.more(5, 10), f"others wait, after {second} s"
            alive = drip(alive, b"x")
            wait(1)
        assert not alive, f"{len(alive)} of {len(slow)} are still there"
        assert until(lambda: closed(halves) == len(halves), 5)
        assert {answer.status for answer in callers.answers} == {200}


def test_hundreds_of_idle_connections_do_not_stop_others(night: Night) -> None:
    with idle_connections(night, _IDLE), Callers(night, 3) as callers:
        assert callers.more(30)
        assert {answer.status for answer in callers.answers} == {200}


def test_who_does_not_read_its_answers_stops_nobody(night: Night) -> None:
    def files() -> int:
        return sum(open_files(pid) for pid in night.workers())

    ask = b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30
    with secured(night, _DEAF, b"", room=4096) as deaf, Callers(night, 3) as callers:
        for connection in deaf:
            connection.settimeout(0.2)
            try:
                for _ in range(400):
                    connection.sendall(ask)
            except (TimeoutError, OSError):
                continue  # its own buffers and the gateway's are full: nothing moves any more
        assert callers.more(30)
        if FULL:
            held = files()
            assert until(lambda: files() <= held - _DEAF, 120), "they are kept for ever"
        assert {answer.status for answer in callers.answers} == {200}
