"""RFC 3161 tokens of a real responder: what is accepted, and everything about them that is pinned."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.ledger.cosignature import WitnessKey, cosign
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import verify_note
from gateway.ledger.post import HttpPost, Posted, PostError
from gateway.ledger.timestamps import NoTokenError, TimestampAuthority, fetch_token, stamped, verify_token
from gateway.system import SystemClock
from tests.witness.made import MemoryLog

from .tsa import POLICY, Authority, TsaServer

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE = b"a checkpoint and a signature line"
REPLY = "application/timestamp-reply"
#: the responder lives in real time
NOW = SystemClock().now


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[TsaServer]:
    made = TsaServer(authority)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def token(authority: Authority, server: TsaServer) -> bytes:
    return fetch_token(named(authority, server), MESSAGE, HttpPost(), NOW, 20)


def named(authority: Authority, server: TsaServer, policy: str | None = POLICY) -> TimestampAuthority:
    return TimestampAuthority("one", server.url, authority.root_der, policy)


def test_a_token_says_when(authority: Authority, token: bytes) -> None:
    at = verify_token(token, MESSAGE, [authority.root_der], policy=POLICY)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=10)  # noqa: TID251  the responder lives in real time


def test_a_token_over_something_else(authority: Authority, token: bytes) -> None:
    with pytest.raises(FormatError):
        verify_token(token, MESSAGE + b".", [authority.root_der])


def test_a_token_of_another_authority(token: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Authority(tmp_path_factory.mktemp("tsa") / "one")
    with pytest.raises(FormatError):
        verify_token(token, MESSAGE, [other.root_der])


def test_a_token_of_another_policy(authority: Authority, server: TsaServer, token: bytes) -> None:
    with pytest.raises(FormatError):
        verify_token(token, MESSAGE, [authority.root_der], policy="1.2.3.4.2")
    with pytest.raises(NoTokenError, match="invalid"):
        fetch_token(named(authority, server, "1.2.3.4.2"), MESSAGE, HttpPost(), NOW, 20)


def test_a_token_that_answers_another_request(authority: Authority, server: TsaServer, token: bytes) -> None:
    def replays(*_: object) -> Posted:
        return Posted(200, REPLY, token)

    with pytest.raises(NoTokenError, match="invalid"):
        fetch_token(named(authority, server), MESSAGE, replays, NOW)


@pytest.mark.parametrize("what", ["imprint", "time", "signature"])
def test_a_changed_byte(what: str, authority: Authority, token: bytes) -> None:
    digest, time = sha256(MESSAGE).digest(), re.search(rb"\x18\x0f20[0-9]{12}Z", token)
    assert time is not None
    at = {"imprint": token.index(digest), "time": time.start() + 5, "signature": len(token) - 1}[what]
    changed = bytearray(token)
    changed[at] ^= 0x01
    with pytest.raises(FormatError):
        verify_token(bytes(changed), MESSAGE, [authority.root_der], policy=POLICY)


@pytest.mark.parametrize("junk", [b"", b"0", b"\x30\x03\x02\x01\x02", b"<html>"])
def test_junk(junk: bytes, authority: Authority) -> None:
    with pytest.raises(FormatError):
        verify_token(junk, MESSAGE, [authority.root_der])


def test_bytes_left_over(authority: Authority, token: bytes) -> None:
    with pytest.raises(FormatError):
        verify_token(token + b"\0", MESSAGE, [authority.root_der])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Posted(503, "text/html", b""), "http_503"),
        (Posted(200, "text/html", b"<html>"), "http_200"),
        (Posted(200, REPLY, b"\x30\x05\x30\x03\x02\x01\x02"), "invalid"),
    ],
)
def test_an_authority_that_gives_none(answer: Posted, why: str, authority: Authority, server: TsaServer) -> None:
    with pytest.raises(NoTokenError, match=why):
        fetch_token(named(authority, server), MESSAGE, lambda *_: answer, NOW)


@pytest.mark.parametrize("ahead", [timedelta(minutes=-2), timedelta(minutes=2)], ids=["ahead", "behind"])
def test_a_token_of_another_time_is_not_kept(ahead: timedelta, authority: Authority, server: TsaServer) -> None:
    """An anchor that names it would stand for ever, and every leaf around it would be held against it."""
    with pytest.raises(NoTokenError, match="other_time"):
        fetch_token(named(authority, server), MESSAGE, HttpPost(), lambda: NOW() + ahead, 20)


def test_an_authority_that_nobody_reaches(authority: Authority) -> None:
    with pytest.raises(PostError, match="unreachable"):
        fetch_token(TimestampAuthority("one", "http://127.0.0.1:1/", authority.root_der), MESSAGE, HttpPost(), NOW, 5)


def test_what_is_stamped_leaves_out_what_witnesses_add() -> None:
    log = MemoryLog().grow(3)
    note = log.note()
    witness = MemoryLog("witness.test/1")
    key = WitnessKey("witness.test/1", witness.private.public_key().public_bytes_raw())
    line = cosign(verify_note(note, log.key), key, 5, witness.private.sign)
    assert stamped(note + line, log.key) == stamped(note, log.key) == note
    with pytest.raises(FormatError):
        stamped(note + note.partition(b"\n\n")[2], log.key)
