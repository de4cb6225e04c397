"""The witness's listener over real connections: what it takes, what it refuses before anybody judges it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.ledger.cosignature import read_cosignatures, verify_cosignature
from gateway.ledger.note import verify_note
from gateway.ledger.post import HttpPost, PostError
from gateway.witness.request import LARGEST_BODY
from gateway.witness.server import WitnessServer
from tests.policy.made import authority

from .made import MadeWitness, MemoryLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "text/plain"


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog().grow(20)


@pytest.fixture
def made(tmp_path: Path, log: MemoryLog) -> Iterator[MadeWitness]:
    witness = MadeWitness(tmp_path / "memory", log)
    yield witness
    witness.memory.close()


@pytest.fixture
def server(made: MadeWitness) -> Iterator[WitnessServer]:
    listening = WitnessServer("127.0.0.1", 0, made.witness.add_checkpoint)
    listening.start()
    yield listening
    listening.stop()


def spoken(server: WitnessServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while piece := connection.recv(4096):
            found += piece
        return found


def test_a_cosignature_and_a_conflict_over_one_connection(
    server: WitnessServer, made: MadeWitness, log: MemoryLog
) -> None:
    post = HttpPost()
    url = f"http://127.0.0.1:{server.port}/add-checkpoint"
    answer = post(url, log.request(0, 10), TEXT, 20)
    (line,) = read_cosignatures(answer.body)
    assert verify_cosignature(verify_note(log.note(10), log.key), line, made.key)
    again = post(url, log.request(0, 20), TEXT, 20)
    assert (again.status, again.content_type, again.body) == (409, "text/x.tlog.size", b"10\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", 405),
        (b"GET /memory HTTP/1.1\r\nHost: w\r\n\r\n", 404),
        (b"GET /healthz HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n", 200),
        (b"POST /other HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\n\r\nx", 404),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (f"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n".encode(), 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nold", 400),
        (b"BREW /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", 501),
    ],
)
def test_what_is_no_request(server: WitnessServer, request_: bytes, status: int) -> None:
    assert f" {status} ".encode() in spoken(server, request_).split(b"\r\n")[0]


def test_half_a_body_is_no_request(server: WitnessServer, made: MadeWitness, log: MemoryLog) -> None:
    half = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 500\r\n\r\n" + log.request(0, 10)[:20]
    assert spoken(server, half) == b""
    assert made.memory.last(log.key) is None


def test_a_fault_is_a_500_and_the_next_request_is_heard(tmp_path: Path, log: MemoryLog) -> None:
    made = MadeWitness(tmp_path / "broken", log)
    failing = [True]

    def judge(body: bytes) -> object:
        if failing.pop() if failing else False:
            raise OSError(28, "No space left on device")
        return made.witness.add_checkpoint(body)

    listening = WitnessServer("127.0.0.1", 0, judge)  # type: ignore[arg-type]  # a Reply, or a fault
    listening.start()
    try:
        url, post = f"http://127.0.0.1:{listening.port}/add-checkpoint", HttpPost()
        broken = post(url, log.request(0, 10), TEXT, 20)
        assert (broken.status, broken.body) == (500, b"")
        assert post(url, log.request(0, 10), TEXT, 20).status == 200
    finally:
        listening.stop()


def test_over_tls_with_the_files_given(tmp_path: Path, made: MadeWitness, log: MemoryLog) -> None:
    pki = authority("witness")
    issued = pki.issue(Profile.TLS_SERVER, ["localhost"])
    write_public(tmp_path / "tls.pem", issued.pem + pki.issuing.pem)
    write_private(tmp_path / "tls.key", issued.key_pem)
    write_public(tmp_path / "root.pem", pki.root.pem)
    listening = WitnessServer("127.0.0.1", 0, made.witness.add_checkpoint, (tmp_path / "tls.pem", tmp_path / "tls.key"))
    listening.start()
    try:
        url = f"https://localhost:{listening.port}/add-checkpoint"
        assert HttpPost(str(tmp_path / "root.pem"))(url, log.request(0, 10), TEXT, 20).status == 200
        with pytest.raises(PostError, match="unreachable"):
            HttpPost()(url, log.request(10, 20), TEXT, 20)
    finally:
        listening.stop()
