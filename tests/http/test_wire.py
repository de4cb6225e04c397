"""Bytes on the wire that try to be two requests, or none (section 10: smuggling, oversize, slow bodies)."""

from __future__ import annotations

import json
import re
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.exchange.live import workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.client.signer import SignedRequest
    from tests.exchange.live import LiveGateway

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


def head(request: SignedRequest, extra: Mapping[str, str], line: str | None = None) -> bytes:
    lines = [line or f"{request.method} {request.target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in {**request.headers, **extra}.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(answer)]


def is_open(connection: socket.socket) -> bool:
    """Whether the gateway has not closed it; what it said, TLS or not, is thrown away."""
    connection.settimeout(0)
    try:
        # the bytes themselves, also of a connection under TLS
        while socket.socket.recv(connection, 65536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


def test_a_chunked_body_is_read_whole_before_its_digest_is_checked(live: LiveGateway) -> None:
    request = live.draft().signed()
    half = len(request.body) // 2
    parts = (request.body[:half], request.body[half:], b"")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    answer = live.raw(head(request, {"Transfer-Encoding": "chunked", "Connection": "close"}) + chunks)
    assert statuses(answer) == [200], answer


def test_two_requests_in_one_write_get_their_own_answers(live: LiveGateway) -> None:
    requests = [live.draft(body=json.dumps({"message": f"number {n}"}).encode()).signed() for n in range(2)]
    data = b"".join(
        head(request, {"Content-Length": str(len(request.body)), "Connection": "close" if last else "keep-alive"})
        + request.body
        for last, request in enumerate(requests)
    )
    answer = live.raw(data)
    assert statuses(answer) == [200, 200]
    assert answer.index(b"number 0") < answer.index(b"number 1")


def test_half_handshakes_hold_nobody_up(live: LiveGateway) -> None:
    """Others are answered while all of them are still waited for, not once they are given up."""
    halves = []
    try:
        for _ in range(40):
            half = socket.create_connection(("localhost", live.ports.gateway), timeout=5)
            half.sendall(b"\x16")
            halves.append(half)
        assert live.verified(live.draft().signed()).status == 200
        assert [half for half in halves if not is_open(half)] == []
    finally:
        for half in halves:
            half.close()


def test_connections_that_say_nothing_hold_nobody_up(live: LiveGateway) -> None:
    silent = [socket.create_connection(("localhost", live.ports.gateway), timeout=5) for _ in range(150)]
    try:
        assert live.verified(live.draft().signed()).status == 200
        assert [each for each in silent if not is_open(each)] == []
    finally:
        for each in silent:
            each.close()


@pytest.mark.parametrize("line", ["GET /log/checkpoint HTTP/1.1", "POST /v1/echo HTTP/1.1"])
def test_a_body_whose_chunks_are_none_is_no_http(live: LiveGateway, line: str) -> None:
    request = line.encode() + b"\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nsecret\r\n0\r\n\r\n"
    answer = live.raw(request)
    assert statuses(answer) == [400], answer
    assert answer.endswith(b"Content-Length: 0\r\n\r\n")


def test_what_nobody_wanted_of_a_body_is_not_read_to_its_end(live: LiveGateway) -> None:
    """A chunk of one byte costs us much more than the peer: after the answer the connection ends.

    And with it the next request, which would be answered where all is read.
    """
    request = live.draft().signed()
    next_one = live.draft().signed()
    chunks = b"1\r\na\r\n" * 300_000 + b"0\r\n\r\n"
    second = head(next_one, {"Content-Length": str(len(next_one.body)), "Connection": "close"}) + next_one.body
    answer = live.raw(head(request, {"Transfer-Encoding": "chunked"}) + chunks + second)
    assert statuses(answer) in ([413], []), answer[:200]  # a reset can overtake the answer
    assert live.verified(live.draft().signed()).status == 200


def test_a_head_in_thousands_of_records_ends_its_connection(live: LiveGateway) -> None:
    """The parser looks at a head again with each piece: many pieces of always-ready bytes would keep the loop."""
    last = b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-A: "
    with (
        socket.create_connection(("localhost", live.ports.gateway), timeout=10) as plain,
        live.context(live.tls()).wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(last)
        answer = b""
        try:
            for _ in range(4000):
                secured.sendall(b"a")
            secured.sendall(b"\r\n\r\n")
            while part := secured.recv(65536):
                answer += part
        except OSError:
            pass  # ended by the gateway, as it should be
    assert answer == b""


def test_answers_of_both_ways_have_a_date(live: LiveGateway) -> None:
    request = live.draft().signed()
    extra = {"Content-Length": str(len(request.body)), "Connection": "close"}
    posted = live.raw(head(request, extra) + request.body)
    read = live.raw(b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    for answer in (posted, read):
        assert answer.count(b"\r\nDate: ") == 1, answer[:300]


def test_100_continue_comes_once_whatever_the_method(live: LiveGateway) -> None:
    line = b"PUT /v1/echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
    answer = live.raw(line + b"Connection: close\r\n\r\nx")
    assert statuses(answer)[:1] == [100]
    assert statuses(answer).count(100) == 1


def test_a_caller_that_expects_100_continue_gets_it(live: LiveGateway) -> None:
    request = live.draft().signed()
    extra = {"Expect": "100-continue", "Content-Length": str(len(request.body)), "Connection": "close"}
    assert statuses(live.raw(head(request, extra) + request.body)) == [100, 200]


def test_what_is_no_http_is_answered_without_our_insides(live: LiveGateway) -> None:
    for data in (b"\x16\x03\x01garbage\r\n\r\n", b"GET /" + b"\xff" * 50 + b" HTTP/1.1\r\n\r\n", b"{}\r\n\r\n"):
        answer = live.raw(data, seconds=3)
        assert b"Traceback" not in answer
        assert b"/work" not in answer
        assert b"python" not in answer.lower()


@pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03\x01"], ids=["nothing", "a_byte", "half_a_hello"])
def test_connections_that_are_reset_end_no_worker(live: LiveGateway, first: bytes) -> None:
    before = workers(live.processes["gateway"].pid)
    for _ in range(30):
        with socket.create_connection(("localhost", live.ports.gateway), timeout=5) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.sendall(first)
    for _ in range(4):
        assert live.verified(live.draft().signed()).status == 200
    assert workers(live.processes["gateway"].pid) == before
    assert "Exception in worker process" not in (live.folder / "stderr.txt").read_text()
