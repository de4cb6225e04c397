"""What `explain` reads: a request's own bytes, and what curl shows of one; anything else is named, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.signing.saved import SavedRequestError, parse_saved
from tests.signing.explained import draft, explained, issued_keys, raw

if TYPE_CHECKING:
    from certs.authority import Issued


@pytest.fixture(scope="module")
def keys() -> dict[str, Issued]:
    return issued_keys()


def test_the_body_is_cut_to_its_length(keys: dict[str, Issued]) -> None:
    content = raw(draft(keys["ecdsa"]).signed())
    beyond = explained(content + b"\n", keys["ecdsa"])
    assert beyond.holds
    assert [(item.key, item.note) for item in beyond.troubles] == [("body_beyond", True)]
    short = explained(content[:-1], keys["ecdsa"])
    assert [item.key for item in short.troubles][:2] == ["body_short", "digest_newline"]


def test_what_curl_shows_is_read(keys: dict[str, Issued]) -> None:
    content = raw(draft(keys["ecdsa"]).signed())
    head, _, body = content.partition(b"\r\n\r\n")
    verbose = b"".join(b"> " + row + b"\n" for row in head.split(b"\r\n")) + b">\n" + body
    assert explained(verbose, keys["ecdsa"]).holds
    trace = b"== Info: Connected\n" + _traced("=> Send header", head + b"\r\n\r\n") + _traced("=> Send data", body)
    assert explained(trace + _traced("<= Recv header", b"HTTP/1.1 200 OK\r\n"), keys["ecdsa"]).holds


_PROGRESS = b"\r100    35    0     0  100    35      0    174 --:--:-- --:--:-- --:--:--   174"


@pytest.mark.parametrize("progress", [b"", _PROGRESS], ids=["alone", "behind_the_progress"])
def test_what_curl_really_says_is_read_and_has_no_body(keys: dict[str, Issued], progress: bytes) -> None:
    """As curl 7.88 writes it with `-v 2> file`: its own words around, its progress on the same lines."""
    head, _, body = raw(draft(keys["ecdsa"]).signed()).partition(b"\r\n\r\n")
    head += b"\r\nContent-Length: %d" % len(body)
    said = (
        b"  %% Total    %% Received\n\r  0     0 --:--:--     0*   Trying 127.0.0.1:8443...\n* Connected to localhost\n"
    )
    said += b"".join(
        progress + b"> " + row + b"\r\n" for row in head.split(b"\r\n")
    ) + b"> \r\n} [%d bytes data]\n" % len(body)
    said += _PROGRESS + b"< HTTP/1.1 200 OK\r\n< Content-Length: 3\r\n< \r\n{ [3 bytes data]\n* Connection #0 left\n"
    without = explained(said, keys["ecdsa"])
    assert ([item.key for item in without.troubles], without.verified, without.holds) == (["body_missing"], True, False)
    assert parse_saved(said, body).body == body
    assert not parse_saved(said, body).bodiless


def test_two_requests_of_one_curl_are_not_mixed(keys: dict[str, Issued]) -> None:
    head = raw(draft(keys["ecdsa"]).signed()).partition(b"\r\n\r\n")[0]
    once = (
        b"* Connected\n"
        + b"".join(b"> " + row + b"\r\n" for row in head.split(b"\r\n"))
        + b"> \r\n< HTTP/1.1 200 OK\r\n"
    )
    assert parse_saved(once * 2, b"").fields == parse_saved(once, b"").fields


def _traced(title: str, data: bytes) -> bytes:
    rows = [f"{title}, {len(data)} bytes (0x{len(data):x})"]
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        shown = "".join(chr(c) if 32 <= c < 127 else "." for c in part)
        rows.append(f"{at:04x}: {' '.join(f'{c:02x}' for c in part)} {shown}")
    return "\n".join([*rows, ""]).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no_request_line"),
        (b"\xff\xfe", "no_request_line"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no_request_line"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\na b: c\r\n\r\n", "header"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunked"),
        (b"=> Send header, 30 bytes (0x1e)\n0000: POST / HTTP/1.1\n0011: Host: a\n", "trace_ascii"),
        (b"x" * ((1 << 22) + 1), "too_large"),
    ],
)
def test_bytes_that_are_no_request(content: bytes, reason: str) -> None:
    with pytest.raises(SavedRequestError) as refused:
        parse_saved(content)
    assert refused.value.reason == reason
