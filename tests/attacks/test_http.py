"""HTTP (section 10): bytes that are two requests, or none; paths in another spelling; too much, and too slowly."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.attacks.test_tls import leaves_after_an_exchange
from tests.http.test_wire import head, is_open, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.client.signer import SignedRequest
    from tests.attacks.arena import Arena

    Wire = Callable[[SignedRequest], bytes]

_PATH = "/v1/nirec/verifications"

#: The same operation in another spelling; each is rightly signed as it stands, and is no operation (P3).
TARGETS: dict[str, str] = {
    "encoded_letter": "/v1/nirec/%76erifications",
    "dot": "/v1/./nirec/verifications",
    "dot_dot": "/v1/../v1/nirec/verifications",
    "encoded_dot_dot": "/v1/%2e%2e/v1/nirec/verifications",
    "encoded_dot_dot_after_echo": "/v1/echo/%2e%2e/nirec/verifications",
    "encoded_slash": "/v1/nirec%2fverifications",
    "encoded_slash_in_capitals": "/v1/nirec%2Fverifications",
    "doubly_encoded": "/v1/nirec%252fverifications",
    "two_slashes": "/v1//nirec/verifications",
    "two_slashes_first": "//v1/nirec/verifications",
    "slash_after": f"{_PATH}/",
    "empty_query": f"{_PATH}?",
    "query": f"{_PATH}?a=b",
    "path_parameter": f"{_PATH};a=b",
    "capitals": "/V1/NIREC/VERIFICATIONS",
    "backslash": "/v1\\nirec\\verifications",
    "null": f"{_PATH}%00",
    "through_the_log": "/log/../v1/nirec/verifications",
    "through_well_known": "/.well-known/%2e%2e/v1/nirec/verifications",
}


@pytest.mark.parametrize("attack", TARGETS)
def test_no_operation(arena: Arena, attack: str) -> None:
    arena.accepted(arena.verification().signed())
    draft = arena.verification().but(target=TARGETS[attack])
    assert arena.refused(draft.signed(), "404 operation_unknown")["bound"] is False


def _absolute(arena: Arena) -> SignedRequest:
    return arena.verification().but(target=f"{arena.origin}{_PATH}").signed()


def _absolute_unsigned(arena: Arena) -> SignedRequest:
    return replace(arena.verification().signed(), target=f"{arena.origin}{_PATH}")


def _large(arena: Arena) -> SignedRequest:
    draft = arena.verification()
    return draft.but(body=draft.body[:-1] + b" " * 66_000 + b"}").signed()


#: attack -> how it is made, and what the caller is told
MORE: dict[str, tuple[Callable[[Arena], SignedRequest], str]] = {
    "absolute_form": (_absolute, "404 operation_unknown"),
    "absolute_form_of_what_was_signed_otherwise": (_absolute_unsigned, "401 signature_invalid signature"),
    "oversize_body": (_large, "413 body_too_large"),
    "put": (lambda arena: arena.verification().but(method="PUT").signed(), "405 method_not_allowed"),
    "another_charset": (
        lambda arena: arena.verification().but(headers={"content-type": "application/json; charset=utf-16"}).signed(),
        "415 media_type_unsupported content-type",
    ),
}


@pytest.mark.parametrize("attack", MORE)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected = MORE[attack]
    arena.accepted(arena.verification().signed())
    assert arena.refused(make(arena), expected)["bound"] is False


def test_oversize_chunked_body(arena: Arena) -> None:
    request = _large(arena)
    before = arena.counter()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (request.body, b""))
    answer = arena.raw(head(request, {"Transfer-Encoding": "chunked", "Connection": "close"}) + chunks, seconds=5)
    assert statuses(answer) == [413], answer[:200]
    assert arena.counter() == before
    arena.accepted(arena.verification().signed())


_INNER = b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


def _framed(*lines: str) -> Wire:
    """The request with these header lines, which disagree about where its body ends, and another behind it."""

    def make(request: SignedRequest) -> bytes:
        tricky = "\r\n".join(lines).format(length=len(request.body))
        start = head(request, {})[:-2] + tricky.encode("latin-1") + b"\r\n\r\n"
        return start + request.body + _INNER

    return make


def _line(line: str) -> Wire:
    def make(request: SignedRequest) -> bytes:
        return head(request, {"Content-Length": str(len(request.body))}, line) + request.body

    return make


def _extra(headers: dict[str, str]) -> Wire:
    def make(request: SignedRequest) -> bytes:
        return head(request, {**headers, "Content-Length": str(len(request.body))}) + request.body

    return make


def _chunked(chunks: bytes) -> Wire:
    def make(request: SignedRequest) -> bytes:
        body = request.body
        return head(request, {"Transfer-Encoding": "chunked"}) + chunks.replace(b"BODY", body) + _INNER

    return make


def _chunked_in_http_1_0(request: SignedRequest) -> bytes:
    start = head(request, {"Transfer-Encoding": "chunked", "Connection": "keep-alive"}, f"POST {_PATH} HTTP/1.0")
    return start + b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body) + _INNER


def _bare_line_feeds(request: SignedRequest) -> bytes:
    start = head(request, {"Content-Length": str(len(request.body))})
    return start.replace(b"\r\n", b"\n") + request.body


#: shape -> the bytes, which are no request: nobody is behind them yet, so they are answered and not recorded
WIRE: dict[str, Wire] = {
    "length_and_chunked": _framed("Content-Length: {length}", "Transfer-Encoding: chunked"),
    "chunked_and_length": _framed("Transfer-Encoding: chunked", "Content-Length: {length}"),
    "two_lengths": _framed("Content-Length: {length}", "Content-Length: 0"),
    "lengths_in_a_list": _framed("Content-Length: {length}, {length}"),
    "signed_length": _framed("Content-Length: +{length}"),
    "negative_length": _framed("Content-Length: -1"),
    "length_in_hexadecimal": _framed("Content-Length: 0x10"),
    "length_with_underscore": _framed("Content-Length: 1_0"),
    "chunked_twice": _framed("Transfer-Encoding: chunked, chunked"),
    "chunked_not_last": _framed("Transfer-Encoding: chunked, identity"),
    "unknown_coding": _framed("Transfer-Encoding: xchunked"),
    "vertical_tab_before_chunked": _framed("Transfer-Encoding: \x0bchunked"),
    "space_before_the_colon": _framed("Transfer-Encoding : chunked"),
    "folded_header": _framed("Transfer-Encoding:", " chunked"),
    "line_feed_alone": _framed("X-A: b\nTransfer-Encoding: chunked"),
    "null_in_a_header": _framed("X-A: \x00"),
    "chunk_size_that_is_none": _chunked(b"xyz\r\nBODY\r\n0\r\n\r\n"),
    "chunk_size_that_is_signed": _chunked(b"-1\r\nBODY\r\n0\r\n\r\n"),
    "chunk_that_is_longer_than_said": _chunked(b"1\r\nBODY\r\n0\r\n\r\n"),
    "chunked_in_http_1_0": _chunked_in_http_1_0,
    "bare_line_feeds": _bare_line_feeds,
    "http_0_9": _line(f"POST {_PATH}"),
    "http_2_preface": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http_2_in_the_line": _line(f"POST {_PATH} HTTP/2.0"),
    "asterisk": _line("POST * HTTP/1.1"),
    "long_line": _line(f"POST {_PATH}?{'a' * 3000} HTTP/1.1"),
    "two_spaces": _line(f"POST  {_PATH} HTTP/1.1"),
    "tab": _line(f"POST\t{_PATH} HTTP/1.1"),
    "method_in_lower_case": _line(f"post {_PATH} HTTP/1.1"),
    "too_many_headers": _extra({f"X-{number}": "a" for number in range(60)}),
    "too_long_a_header": _extra({"X-Long": "a" * 9000}),
}


@pytest.mark.parametrize("attack", WIRE)
def test_no_request(arena: Arena, attack: str) -> None:
    good = arena.verification().signed()
    arena.accepted(good)
    before, leaves = arena.counter(), leaves_after_an_exchange(arena)
    answer = arena.raw(WIRE[attack](arena.verification().signed()), seconds=2)
    # Refused as a whole: never a second answer to what is behind the body, never data.
    assert statuses(answer) in ([], [400], [404], [405], [414], [431], [501], [505]), answer[:200]
    assert b"outcome" not in answer
    assert arena.counter() == before
    if attack not in RECORDED:
        assert leaves_after_an_exchange(arena) == leaves + 1


#: These are requests for the parser, and refusals with all that belongs to one.
RECORDED = {"asterisk", "method_in_lower_case"}

#: header -> another value beside the one that was signed
REPEATED = ["Exchange-Purpose", "Exchange-Agreement", "Content-Digest", "Content-Type", "Signature-Input", "Signature"]


@pytest.mark.parametrize("name", REPEATED)
def test_repeated_header(arena: Arena, name: str) -> None:
    request = arena.verification().signed()
    before = arena.counter()
    # A second member beside our signature is another's signature, which is left alone; the same again is not.
    others = () if name.startswith("Signature") else ("other",)
    for value in (*others, request.headers[name.lower()]):
        answer = arena.raw(_with_both(request, name, value) + request.body, seconds=5)
        assert statuses(answer) in ([400], [401], [415]), (name, answer[:200])
    assert arena.counter() == before
    arena.accepted(request)


def _with_both(request: SignedRequest, name: str, value: str) -> bytes:
    start = head(request, {"Content-Length": str(len(request.body)), "Connection": "close"})
    return start[:-2] + f"{name}: {value}\r\n\r\n".encode()


def test_header_in_underscores(arena: Arena) -> None:
    """What a proxy or WSGI would take for the signed Exchange-Purpose is another header, and refused."""
    request = arena.verification().but(purpose="autre").signed()
    before = arena.counter()
    headers = {"Exchange_Purpose": "admissibilite", "Content-Length": str(len(request.body)), "Connection": "close"}
    answer = arena.raw(head(request, headers) + request.body, seconds=5)
    assert statuses(answer) in ([400], [403])
    assert b"outcome" not in answer
    assert arena.counter() == before


def test_slow_bodies(arena: Arena) -> None:
    """Others are answered while all of them are still waited for, and none of these is a request."""
    slow: list[socket.socket] = []
    before = arena.counter()
    try:
        slow.extend(_stuck(arena) for _ in range(40))
        arena.accepted(arena.draft().signed())
        assert [each for each in slow if not is_open(each)] == []
        assert arena.counter() == before
    finally:
        for each in slow:
            each.close()


def _stuck(arena: Arena) -> socket.socket:
    """A connection in the middle of a body; or of its handshake, where that takes long."""
    request = arena.verification().signed()
    plain = socket.create_connection(("localhost", arena.ports.gateway), timeout=0.3)
    stuck = arena.context(arena.tls()).wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
    with contextlib.suppress(OSError):
        stuck.sendall(head(request, {"Content-Length": str(len(request.body))}) + request.body[:5])
    return stuck


@pytest.mark.parametrize("ending", ["short_body_closed", "short_body_reset"])
def test_short_body(arena: Arena, ending: str) -> None:
    """What came is rightly signed; its Content-Length, which nobody signs, says that more is missing."""
    request = arena.verification().signed()
    before = arena.counter()
    plain = socket.create_connection(("localhost", arena.ports.gateway), timeout=5)
    with arena.context(arena.tls()).wrap_socket(plain, server_hostname="localhost") as secured:
        secured.sendall(head(request, {"Content-Length": str(len(request.body) + 10)}) + request.body)
        if ending == "short_body_closed":
            secured.shutdown(socket.SHUT_WR)
            assert b" 200 " not in secured.recv(4096)
    assert arena.counter() == before
    # It took no nonce and no salt: the whole one is answered.
    arena.accepted(request)


@pytest.mark.parametrize("size", [30, 200])
def test_what_is_no_http_is_quoted_nowhere(arena: Arena, size: int) -> None:
    secret = b'{"nirec":"9876543210987","family_name":"Tremblay' + b"y" * size + b'"}'
    shapes = (
        b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + b"\r\n\r\n",
        secret + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/echo HTTP/1.1\r\n" + secret + b"\r\n\r\n",
    )
    for shape in shapes:
        answer = arena.raw(shape, seconds=1)
        assert not [word for word in (b"9876543210987", b"Tremblay", b"Traceback") if word in answer]
    assert arena.files_with(b"9876543210987") == []
    assert b"9876543210987" not in (arena.folder / "stderr.txt").read_bytes()
