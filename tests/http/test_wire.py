"""Bytes on the wire that try to be two requests, or none (section 10: smuggling, oversize, slow bodies)."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import time
import warnings
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


def test_a_chunked_body_is_read_whole_before_its_digest_is_checked(live: LiveGateway) -> None:
    request = live.draft().signed()
    half = len(request.body) // 2
    parts = (request.body[:half], request.body[half:], b"")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    answer = live.raw(head(request, {"Transfer-Encoding": "chunked", "Connection": "close"}) + chunks)
    assert statuses(answer) == [200], answer


_INNER = b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

#: shape -> headers that disagree about where the body ends
_SHAPES: dict[str, list[str]] = {
    "length_and_chunked": ["Content-Length: {length}", "Transfer-Encoding: chunked"],
    "chunked_and_length": ["Transfer-Encoding: chunked", "Content-Length: {length}"],
    "two_lengths": ["Content-Length: {length}", "Content-Length: 0"],
    "lengths_in_a_list": ["Content-Length: {length}, {length}"],
    "signed_length": ["Content-Length: +{length}"],
    "negative_length": ["Content-Length: -1"],
    "length_in_hexadecimal": ["Content-Length: 0x10"],
    "length_with_underscore": ["Content-Length: 1_0"],
    "chunked_twice": ["Transfer-Encoding: chunked, chunked"],
    "chunked_not_last": ["Transfer-Encoding: chunked, identity"],
    "unknown_coding": ["Transfer-Encoding: xchunked"],
    "vertical_tab_before_chunked": ["Transfer-Encoding: \x0bchunked"],
    "space_before_the_colon": ["Transfer-Encoding : chunked"],
    "folded_header": ["Transfer-Encoding:", " chunked"],
    "line_feed_alone": ["X-A: b\nTransfer-Encoding: chunked"],
    "null_in_a_header": ["X-A: \x00"],
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_smuggling(live: LiveGateway, shape: str) -> None:
    request = live.draft().signed()
    tricky = "\r\n".join(_SHAPES[shape]).format(length=len(request.body))
    start = head(request, {})[:-2] + tricky.encode("latin-1") + b"\r\n\r\n"
    before = live.counter()
    answer = live.raw(start + request.body + _INNER, seconds=3)
    # Refused as a whole: never a second answer to what is behind the body, never data.
    assert statuses(answer) in ([400], [501])
    assert b"bonjour" not in answer
    assert live.counter() == before


_LINES = {
    "http_0_9": "POST /v1/echo",
    "http_2_in_clear": "PRI * HTTP/2.0",
    "asterisk": "POST * HTTP/1.1",
    "long_line": f"POST /v1/echo?{'a' * 3000} HTTP/1.1",
    "two_spaces": "POST  /v1/echo HTTP/1.1",
    "method_in_lower_case": "post /v1/echo HTTP/1.1",
    "tab": "POST\t/v1/echo HTTP/1.1",
}


@pytest.mark.parametrize("shape", _LINES)
def test_a_request_line_that_is_none(live: LiveGateway, shape: str) -> None:
    request = live.draft().signed()
    answer = live.raw(head(request, {"Content-Length": "0"}, _LINES[shape]), seconds=3)
    assert len(statuses(answer)) <= 1
    assert 200 not in statuses(answer)


def test_too_many_headers_and_too_long_ones(live: LiveGateway) -> None:
    request = live.draft().signed()
    for extra in ({f"X-{number}": "a" for number in range(60)}, {"X-Long": "a" * 9000}):
        answer = live.raw(head(request, {**extra, "Content-Length": "0"}), seconds=3)
        assert statuses(answer) in ([400], [431])


def test_a_header_in_underscores_cannot_stand_in_for_another(live: LiveGateway) -> None:
    request = live.draft(purpose="autre").signed()
    data = head(request, {"Exchange_Purpose": "essai", "Content-Length": str(len(request.body)), "Connection": "close"})
    answer = live.raw(data + request.body)
    assert statuses(answer) in ([400], [403])
    assert b"bonjour" not in answer


def test_a_repeated_header_is_not_the_one_that_was_signed(live: LiveGateway) -> None:
    request = live.draft().signed()
    length = {"Content-Length": str(len(request.body)), "Connection": "close"}
    repeated = ["Exchange-Purpose", "Content-Digest", "Content-Type", "Exchange-Agreement"]
    for name, value in [*((name, "autre") for name in repeated), ("Signature-Input", f"sig1={request.parameters}")]:
        data = head(request, {**length, name: value})
        answer = live.raw(data + request.body)
        assert statuses(answer) in ([400], [401], [415]), name
        assert b"bonjour" not in answer


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


@pytest.mark.parametrize("ending", ["close_notify", "reset"])
def test_a_body_shorter_than_said_is_no_request(live: LiveGateway, ending: str) -> None:
    # What came is rightly signed, digest and all; its Content-Length, which nobody signs, says more is missing.
    request = live.draft().signed()
    data = head(request, {"Content-Length": str(len(request.body) + 10)}) + request.body
    with (
        socket.create_connection(("localhost", live.ports.gateway), timeout=5) as plain,
        live.context(live.tls()).wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(data)
        if ending == "close_notify":
            with contextlib.suppress(OSError):
                assert b"HTTP" not in secured.unwrap().recv(100)
    # The request that never ended did not take its nonce: the whole one is answered.
    assert live.verified(request).status == 200


def test_slow_bodies_do_not_hold_up_the_others(live: LiveGateway) -> None:
    slow = []
    try:
        for _ in range(8):
            request = live.draft().signed()
            plain = socket.create_connection(("localhost", live.ports.gateway), timeout=5)
            secured = live.context(live.tls()).wrap_socket(plain, server_hostname="localhost")
            secured.sendall(head(request, {"Content-Length": str(len(request.body))}) + request.body[:5])
            slow.append(secured)
        began = time.monotonic()
        assert live.verified(live.draft().signed()).status == 200
        assert time.monotonic() - began < 2
    finally:
        for secured in slow:
            secured.close()


def test_half_handshakes_hold_the_gateway_up_for_seconds_only(live: LiveGateway) -> None:
    """More than all workers have threads: without a deadline on reads nobody else would ever be served."""
    halves = []
    try:
        for _ in range(40):
            half = socket.create_connection(("localhost", live.ports.gateway), timeout=5)
            half.sendall(b"\x16")
            halves.append(half)
        began = time.monotonic()
        assert live.verified(live.draft().signed()).status == 200
        assert time.monotonic() - began < 15
    finally:
        for half in halves:
            half.close()


def test_connections_that_say_nothing_hold_nobody_up(live: LiveGateway) -> None:
    silent = [socket.create_connection(("localhost", live.ports.gateway), timeout=5) for _ in range(150)]
    try:
        began = time.monotonic()
        assert live.verified(live.draft().signed()).status == 200
        assert time.monotonic() - began < 4
    finally:
        for each in silent:
            each.close()


def test_a_request_that_is_no_http_is_quoted_nowhere(live: LiveGateway) -> None:
    secret = b'{"nirec":"9876543210987","family_name":"Tremblay"}'
    shapes = (
        b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + b"\r\n\r\n",
        secret + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/echo HTTP/1.1\r\n" + secret + b"\r\n\r\n",
    )
    for shape in shapes:
        answer = live.raw(shape, seconds=3)
        assert b"9876543210987" not in answer
        assert b"Tremblay" not in answer
    written = b"".join(path.read_bytes() for path in live.folder.rglob("*") if path.is_file() and not path.is_symlink())
    assert b"9876543210987" not in written


def test_what_is_no_http_is_answered_without_our_insides(live: LiveGateway) -> None:
    for data in (b"\x16\x03\x01garbage\r\n\r\n", b"GET /" + b"\xff" * 50 + b" HTTP/1.1\r\n\r\n", b"{}\r\n\r\n"):
        answer = live.raw(data, seconds=3)
        assert b"Traceback" not in answer
        assert b"/work" not in answer
        assert b"python" not in answer.lower()


def test_clear_text_is_no_handshake(live: LiveGateway) -> None:
    with socket.create_connection(("localhost", live.ports.gateway), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/1.1 200" not in plain.recv(4096)


def test_tls_before_1_2_is_refused(live: LiveGateway) -> None:
    context = live.context(live.tls())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that these versions are old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("localhost", live.ports.gateway), timeout=5) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


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
