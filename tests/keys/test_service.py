"""The process that has the keys: who may ask, for which keys, and what happens when it is gone."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import gevent
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.errors import KeystoreError
from gateway.http.keychannel import LoopChannel
from gateway.keys import frames
from gateway.keys.files import FileKeystore
from gateway.keys.make import FileKeyMaker
from gateway.keys.remote import BlockingChannel, RemoteKeystore, connect
from gateway.keys.service import SEQUENCER, SOCKET, WORKERS, KeyService, Supervised, parent_of
from tests.adapters.fakes import SystemRandomness, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.keys.remote import Channel
    from gateway.keys.service import Admission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    maker = FileKeyMaker(tmp_path, SystemRandomness())
    maker.make_p256("signing")
    maker.make_ed25519("log")
    maker.make_mac("claims")
    return tmp_path


@contextmanager
def served(folder: Path, admits: Admission = lambda _pid, _uid, _role: True) -> Iterator[Path]:
    """The service in a thread of this process."""
    stores = {
        WORKERS: FileKeystore(folder, signing=["signing"], macs=["claims"], later=["nirec-"]),
        SEQUENCER: FileKeystore(folder, signing=["log"]),
    }
    path, stop = folder / SOCKET, threading.Event()
    thread = threading.Thread(target=KeyService(path, stores, admits).run, args=(stop,))
    thread.start()
    try:
        assert until(path.is_socket, 5)
        yield path
    finally:
        stop.set()
        thread.join(40)
        assert not thread.is_alive()


def in_loop(path: Path, role: str) -> Channel:
    return LoopChannel(path, role)


CHANNELS: list[Callable[[Path, str], Channel]] = [BlockingChannel, in_loop]


@pytest.mark.parametrize("channel", CHANNELS)
def test_it_gives_what_the_keys_give(folder: Path, channel: Callable[[Path, str], Channel]) -> None:
    direct = FileKeystore(folder, signing=["signing", "log"], macs=["claims"])
    with served(folder) as path:
        store = RemoteKeystore(channel(path, WORKERS), folder)
        for data in (b"", b"data", b"x" * 100_000):
            assert store.mac("claims", data) == direct.mac("claims", data)
        assert store.public_key("signing") == direct.public_key("signing")
        assert len(store.sign("signing", b"data")) == 64
        log = RemoteKeystore(channel(path, SEQUENCER), folder)
        public = load_der_public_key(direct.public_key("log"))
        assert isinstance(public, ed25519.Ed25519PublicKey)
        public.verify(log.sign("log", b"data"), b"data")
        store.close()
        log.close()


@pytest.mark.parametrize("channel", CHANNELS)
def test_each_role_has_its_own_keys(folder: Path, channel: Callable[[Path, str], Channel]) -> None:
    with served(folder) as path:
        workers = RemoteKeystore(channel(path, WORKERS), folder)
        sequencer = RemoteKeystore(channel(path, SEQUENCER), folder)
        uses: tuple[Callable[[], bytes], ...] = (
            lambda: workers.sign("log", b""),
            lambda: workers.public_key("log"),
            lambda: sequencer.sign("signing", b""),
            lambda: sequencer.mac("claims", b""),
            lambda: workers.mac("nirec-../claims", b""),
        )
        for use in uses:
            with pytest.raises(KeystoreError, match="key_not_here"):
                use()
        with pytest.raises(KeystoreError, match=r"nirec-1\.mac"):
            workers.mac("nirec-1", b"")
        assert len(workers.mac("claims", b"")) == 32, "a refusal ends nothing"
        workers.close()
        sequencer.close()


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("role", [WORKERS, "officers"])
def test_who_is_not_admitted_gets_nothing(folder: Path, channel: Callable[[Path, str], Channel], role: str) -> None:
    with served(folder, lambda _pid, _uid, asked: asked == SEQUENCER) as path:
        store = RemoteKeystore(channel(path, role), folder)
        with pytest.raises(KeystoreError, match="keystore_refuses"):
            store.mac("claims", b"")


def test_a_question_before_the_hello_gets_nothing(folder: Path) -> None:
    with served(folder) as path, socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(path))
        raw.sendall(frames.request(frames.MAC, "claims", b""))
        found = frames.Frames().feed(raw.recv(1000))
        with pytest.raises(KeystoreError, match="keystore_refuses"):
            frames.read_reply(found[0])
        assert raw.recv(1000) == b""


@pytest.mark.parametrize(
    "junk", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1\2", b"\0\0\0\3\2\5a", b"\0\0\0\3\2\1\xff"]
)
def test_junk_ends_its_own_connection_only(folder: Path, junk: bytes) -> None:
    with served(folder) as path:
        other = RemoteKeystore(BlockingChannel(path, WORKERS), folder)
        with connect(socket.socket(socket.AF_UNIX), path, WORKERS) as raw:
            raw.sendall(junk)
            assert raw.recv(1000) == b""
        assert len(other.mac("claims", b"")) == 32
        other.close()


def test_the_socket_is_ours_alone(folder: Path) -> None:
    with served(folder) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize("channel", CHANNELS)
def test_it_fails_closed_and_recovers(folder: Path, channel: Callable[[Path, str], Channel]) -> None:
    store = RemoteKeystore(channel(folder / SOCKET, WORKERS), folder)
    with pytest.raises(KeystoreError, match="keystore_unreachable"):
        store.mac("claims", b"")
    with served(folder):
        before = store.mac("claims", b"data")
    store.close()
    for _ in range(2):
        with pytest.raises(KeystoreError, match="keystore_unreachable"):
            store.mac("claims", b"data")
    with served(folder):
        assert store.mac("claims", b"data") == before
        store.close()


def test_a_thread_asks_again_once_where_its_connection_has_ended_since(folder: Path) -> None:
    channel = BlockingChannel(folder / SOCKET, WORKERS)
    store = RemoteKeystore(channel, folder)
    with served(folder):
        before = store.mac("claims", b"data")
        first = channel._connection
        assert first is not None
        first.shutdown(socket.SHUT_RDWR)  # as when the other process was killed and is there again
        assert store.mac("claims", b"data") == before
        assert channel._connection is not first
    store.close()
    with pytest.raises(KeystoreError, match="keystore_unreachable"):
        store.mac("claims", b"data")


def test_many_greenlets_share_one_connection_and_get_their_own_replies(folder: Path) -> None:
    direct = FileKeystore(folder, macs=["claims"])
    with served(folder) as path:
        store = RemoteKeystore(LoopChannel(path, WORKERS), folder)
        texts = [b"%d" % number * (number * 37 % 4000) for number in range(200)]
        jobs = [gevent.spawn(store.mac, "claims", text) for text in texts]
        gevent.joinall(jobs, timeout=20, raise_error=True)
        assert [job.value for job in jobs] == [direct.mac("claims", text) for text in texts]
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(store.mac("claims", b"from a thread")))
        thread.start()
        thread.join(40)
        assert found == [direct.mac("claims", b"from a thread")]
        store.close()


def test_a_place_is_by_descent() -> None:
    """A worker is a grandchild of the supervisor, the sequencer its child; neither passes for the other."""
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(input())'], stdin=sys.stdin)"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        found: list[int] = []

        def grandchild() -> bool:
            task = f"/proc/{process.pid}/task/{process.pid}/children"
            with open(task, encoding="ascii") as file:  # noqa: PTH123  a file of the kernel's
                found[:] = [int(pid) for pid in file.read().split()]
            return bool(found)

        assert until(grandchild, 10)
        child, below, us, uid = process.pid, found[0], os.getpid(), os.geteuid()
        admits = Supervised(us)
        assert (parent_of(below), parent_of(child)) == (child, us)
        assert admits(child, uid, SEQUENCER)
        assert admits(below, uid, WORKERS)
        assert not admits(below, uid, SEQUENCER)
        assert not admits(child, uid, WORKERS)
        assert not admits(child, uid + 1, SEQUENCER)
        assert Supervised(None)(below, uid, SEQUENCER)
        assert not Supervised(None)(below, uid + 1, SEQUENCER)
        assert parent_of(2**22 + 1) is None
    finally:
        process.communicate(b"end\n", timeout=40)
