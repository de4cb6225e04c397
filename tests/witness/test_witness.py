"""The witness's judgement, status by status (C2SP tlog-witness), and what it never signs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import ConfigurationError
from gateway.ledger.cosignature import read_cosignatures, verify_cosignature
from gateway.ledger.encoding import FormatError, encode64
from gateway.ledger.note import Checkpoint, sign_checkpoint, verify_note
from gateway.witness.memory import MOST_FORKS, Memory
from gateway.witness.request import MOST_PROOF_LINES, write_request

from .made import NOW, MadeWitness, MemoryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.witness.witness import Reply


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog().grow(40)


@pytest.fixture
def made(tmp_path: Path, log: MemoryLog) -> Iterator[MadeWitness]:
    witness = MadeWitness(tmp_path / "memory", log)
    yield witness
    witness.memory.close()


def cosigned(made: MadeWitness, reply: Reply, log: MemoryLog, size: int) -> int:
    assert reply.status == 200, reply.body
    (line,) = read_cosignatures(reply.body)
    return verify_cosignature(verify_note(log.note(size), log.key), line, made.key)


def test_each_checkpoint_that_extends_the_one_before_is_cosigned(made: MadeWitness, log: MemoryLog) -> None:
    before = 0
    for size in (1, 2, 3, 7, 8, 31, 40, 40):
        reply = made.witness.add_checkpoint(log.request(before, size))
        assert cosigned(made, reply, log, size) == int(NOW.timestamp())
        before = size


def test_the_size_is_told_and_taught(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    for old in (0, 9, 11):
        reply = made.witness.add_checkpoint(log.request(old, 20))
        assert (reply.status, reply.content_type, reply.body) == (409, "text/x.tlog.size", b"10\n")


def test_another_root_of_the_same_size_is_refused_and_kept_as_proof(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    fork = log.branch(9).grow(1, b"other")
    reply = made.witness.add_checkpoint(fork.request(10, 10))
    assert (reply.status, reply.content_type, reply.body) == (409, "text/x.tlog.size", b"10\n")
    (kept,) = (made.folder / "forks").iterdir()
    assert verify_note(kept.read_bytes(), log.key) == verify_note(fork.note(), log.key)
    for extra in range(MOST_FORKS + 3):
        made.witness.add_checkpoint(log.branch(9).grow(1, bytes([extra])).request(10, 10))
    assert len(list((made.folder / "forks").iterdir())) == MOST_FORKS


def test_a_fork_that_grew_is_not_proven(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    fork = log.branch(5).grow(20, b"other")
    assert made.witness.add_checkpoint(fork.request(10)).status == 422
    assert cosigned(made, made.witness.add_checkpoint(log.request(10, 11)), log, 11)


def with_proof(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[MemoryLog], bytes]:
    def body(log: MemoryLog) -> bytes:
        head, blank, note = log.request(10, 20).partition(b"\n\n")
        old, *proof = head.split(b"\n")
        return b"\n".join([old, *change(proof)]) + blank + note

    return body


def note_of(log: MemoryLog, change: Callable[[bytes], bytes], old: int = 10) -> bytes:
    head, blank, note = log.request(old, 20).partition(b"\n\n")
    return head + blank + change(note)


def by_another_key(log: MemoryLog) -> bytes:
    other = MemoryLog(log.name).grow(20)
    return note_of(log, lambda _: sign_checkpoint(verify_note(log.note(20), log.key), log.key, other))


def empty_with_a_root(log: MemoryLog) -> bytes:
    return write_request(0, (), sign_checkpoint(Checkpoint(log.name, 0, bytes(32)), log.key, log))


_HOSTILE: dict[str, tuple[int, Callable[[MemoryLog], bytes]]] = {
    "nothing": (400, lambda _: b""),
    "no old size": (400, lambda log: log.request(10, 20).partition(b"\n")[2]),
    "old size with a zero": (400, lambda log: log.request(10, 20).replace(b"old 10", b"old 010")),
    "old size with a sign": (400, lambda log: log.request(10, 20).replace(b"old 10", b"old +10")),
    "old size in other digits": (400, lambda log: log.request(10, 20).replace(b"old 10", "old ١٠".encode())),
    "old size past every tree": (400, lambda log: log.request(10, 20).replace(b"old 10", b"old 9" + b"9" * 19)),
    "two spaces": (400, lambda log: log.request(10, 20).replace(b"old 10", b"old  10")),
    "carriage returns": (400, lambda log: log.request(10, 20).replace(b"\n", b"\r\n")),
    "no blank line": (400, lambda log: log.request(10, 20).replace(b"\n\n", b"\n", 1)),
    "no note": (400, lambda log: log.request(10, 20).partition(b"\n\n")[0] + b"\n\n"),
    "too long a proof": (400, with_proof(lambda proof: proof + [proof[0]] * MOST_PROOF_LINES)),
    "a short hash": (400, with_proof(lambda proof: [encode64(bytes(31)).encode(), *proof[1:]])),
    "base64 not canonical": (400, with_proof(lambda proof: [proof[0][:-2] + b"B=", *proof[1:]])),
    "too large": (400, lambda log: log.request(10, 20) + b"x" * (1 << 16)),
    "not UTF-8": (400, lambda log: note_of(log, lambda note: note.replace(b"log", b"l\xffg", 1))),
    "old above the size": (400, lambda log: write_request(21, (), log.note(20))),
    "signature missing": (400, lambda log: note_of(log, lambda note: note.partition(b"\n\n")[0] + b"\n\n")),
    "another origin": (404, lambda _: MemoryLog("log.test/other").grow(20).request(0)),
    "another key": (403, by_another_key),
    "a changed size": (403, lambda log: note_of(log, lambda note: note.replace(b"\n20\n", b"\n21\n"))),
    "signed by nobody known": (403, lambda log: note_of(log, lambda note: note.replace(b" log.test", b" lag.test"))),
    "a line twice": (403, lambda log: note_of(log, lambda note: note + note.partition(b"\n\n")[2])),
    "no proof": (422, with_proof(lambda _: [])),
    "a step less": (422, with_proof(lambda proof: proof[1:])),
    "a step more": (422, with_proof(lambda proof: [*proof, proof[0]])),
    "steps in another order": (422, with_proof(lambda proof: proof[::-1])),
    "another step": (422, with_proof(lambda proof: [encode64(bytes(32)).encode(), *proof[1:]])),
    "a proof for the same size": (422, lambda log: write_request(10, (bytes(32),), log.note(10))),
}  # fmt: skip


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_input(name: str, made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    status, body = _HOSTILE[name]
    reply = made.witness.add_checkpoint(body(log))
    assert reply.status == status, reply.body
    assert b"\xe2\x80\x94" not in reply.body
    # and nothing of it was remembered
    assert cosigned(made, made.witness.add_checkpoint(log.request(10, 20)), log, 20)


def test_an_empty_tree_has_the_empty_root(tmp_path: Path) -> None:
    log = MemoryLog()
    made = MadeWitness(tmp_path / "memory", log)
    assert made.witness.add_checkpoint(empty_with_a_root(log)).status == 409
    assert made.witness.add_checkpoint(write_request(0, (bytes(32),), log.note(0))).status == 422
    assert cosigned(made, made.witness.add_checkpoint(log.request(0, 0)), log, 0)


def test_signatures_of_others_are_ignored(made: MadeWitness, log: MemoryLog) -> None:
    other = MemoryLog("witness.test/other")
    line = sign_checkpoint(verify_note(log.note(20), log.key), other.key, other).partition(b"\n\n")[2]
    assert cosigned(made, made.witness.add_checkpoint(log.request(0, 20) + line), log, 20)


def test_what_was_kept_is_kept_over_a_crash(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    assert made.again().witness.add_checkpoint(log.request(0, 20)).body == b"10\n"
    # a crash between the memory and the signature: the log asks again, with the size that it is taught
    made.memory.keep(log.key, log.note(20))
    assert made.again().witness.add_checkpoint(log.request(10, 20)).body == b"20\n"
    assert cosigned(made, made.witness.add_checkpoint(log.request(20, 20)), log, 20)
    # and a crash while the new file was being written leaves the one before
    (made.folder / "half.new").write_bytes(b"half a no")
    assert cosigned(made, made.again().witness.add_checkpoint(log.request(20, 21)), log, 21)


def test_nothing_is_signed_that_could_not_be_kept(
    made: MadeWitness, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_key: object, _note: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made.memory, "keep", full)
    with pytest.raises(OSError, match="No space"):
        made.witness.add_checkpoint(log.request(0, 10))
    assert made.again().witness.add_checkpoint(log.request(0, 10)).status == 200


def test_a_damaged_memory_cosigns_nothing(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 10))
    (path,) = made.folder.glob("*.checkpoint")
    path.write_bytes(path.read_bytes().replace(b"\n10\n", b"\n9\n"))
    with pytest.raises(FormatError):
        made.again().witness.add_checkpoint(log.request(9, 20))


def test_two_processes_never_share_a_memory(made: MadeWitness) -> None:
    with pytest.raises(ConfigurationError, match="witness_running"):
        Memory(made.folder)


def test_two_requests_at_once_never_leave_the_smaller_one(made: MadeWitness, log: MemoryLog) -> None:
    made.witness.add_checkpoint(log.request(0, 1))
    start = threading.Barrier(8)
    replies: list[tuple[int, Reply]] = []

    def ask(size: int) -> None:
        start.wait()
        replies.append((size, made.witness.add_checkpoint(log.request(1, size))))

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(10, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (size,) = [size for size, reply in replies if reply.status == 200]
    assert {reply.body for _, reply in replies if reply.status == 409} == {f"{size}\n".encode()}
    last = made.memory.last(log.key)
    assert last is not None
    assert last.size == size


def test_logs_are_apart(tmp_path: Path, log: MemoryLog) -> None:
    other = MemoryLog("log.test/other", Ed25519PrivateKey.generate()).grow(5)
    made = MadeWitness(tmp_path / "both", log, other)
    assert cosigned(made, made.witness.add_checkpoint(log.request(0, 30)), log, 30)
    assert cosigned(made, made.witness.add_checkpoint(other.request(0, 5)), other, 5)
    assert cosigned(made, made.witness.add_checkpoint(log.request(30, 31)), log, 31)
