"""The one process that has the keys (S7): others ask it over a socket, each for the keys of its role only (S5)."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from gateway.errors import KeystoreError
from gateway.keys import frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.keys.stores import OpenKeystore
    from gateway.ports import Stop

SOCKET = "keystore.sock"
WORKERS, SEQUENCER, DISPATCHER = "workers", "sequencer", "dispatcher"
_CHUNK = 65536
_LOOK_SECONDS = 0.2
_HELLO_SECONDS = 5.0


class Admission(Protocol):
    """Who may have a role."""

    def __call__(self, pid: int, uid: int, role: str) -> bool:
        """Whether this process of this user may."""
        ...


class KeyService:
    """Serves sign, mac and public_key for each role out of its own keystore."""

    def __init__(self, path: Path, stores: Mapping[str, OpenKeystore], admits: Admission) -> None:
        """``path`` is the socket's, made 0600 in a folder that is ours; ``stores`` are those of each role."""
        self._path = path
        self._stores = stores
        self._admits = admits
        self._log = structlog.get_logger("keystore")

    def run(self, stop: Stop) -> None:
        """Serves until ``stop`` is set; raises OSError where the socket cannot be made."""
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made = self._path.with_name(f"{self._path.name}.new")
            made.unlink(missing_ok=True)
            before = os.umask(0o177)  # 0600 from its first moment
            try:
                listener.bind(frames.at(directory, made))
            finally:
                os.umask(before)
            listener.listen(64)
            listener.settimeout(_LOOK_SECONDS)
            made.replace(self._path)  # whoever sees it can connect
            self._log.info("ready", pid=os.getpid())
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        finally:
            listener.close()
            os.close(directory)
            self._path.unlink(missing_ok=True)

    def _serve(self, connection: socket.socket) -> None:
        """One process's requests, in their order, until it goes or says what is no request."""
        with connection:
            try:
                store = self._admitted(connection)
                if store is not None:
                    self._answer(connection, store)
            except (OSError, frames.FrameError) as error:
                self._log.warning("connection_ended", reason=type(error).__name__)

    def _admitted(self, connection: socket.socket) -> OpenKeystore | None:
        connection.settimeout(_HELLO_SECONDS)
        pid, uid = frames.peer(connection)
        # it waits for the reply, so there is nothing behind its first frame
        operation, role, _ = frames.read_request(_first(connection))
        if operation != frames.HELLO or role not in self._stores or not self._admits(pid, uid, role):
            self._log.error("refused", pid=pid, uid=uid, role=role)
            connection.sendall(frames.failure(KeystoreError("keystore_refuses")))
            return None
        connection.sendall(frames.reply(b""))
        connection.settimeout(None)
        return self._stores[role]

    def _answer(self, connection: socket.socket, store: OpenKeystore) -> None:
        incoming = frames.Frames()
        while data := connection.recv(_CHUNK):
            replies = b"".join(_done(store, frame) for frame in incoming.feed(data))
            if replies:
                connection.sendall(replies)


def _first(connection: socket.socket) -> bytes:
    incoming = frames.Frames()
    while data := connection.recv(_CHUNK):
        if found := incoming.feed(data):
            return found[0]
    raise ConnectionResetError


def _done(store: OpenKeystore, frame: bytes) -> bytes:
    operation, name, data = frames.read_request(frame)
    try:
        match operation:
            case frames.SIGN:
                return frames.reply(store.sign(name, data))
            case frames.MAC:
                return frames.reply(store.mac(name, data))
            case frames.PUBLIC_KEY:
                return frames.reply(store.public_key(name))
            case _:
                raise frames.FrameError("no such operation")
    except KeystoreError as error:
        return frames.failure(error)


class Supervised:
    """Admits by descent, which no process can choose: the kernel says whose child each is.

    The sequencer, or a dispatcher, is a child of our own parent, the supervisor; a worker of such a child,
    so that no worker that was taken over passes for it. Without a supervisor, by its user alone.
    """

    def __init__(self, supervisor: int | None) -> None:
        """``supervisor`` is its process id, None where there is none."""
        self._supervisor = supervisor

    def __call__(self, pid: int, uid: int, role: str) -> bool:
        """Whether it is of our user and has the place of its role."""
        if uid != os.geteuid():
            return False
        if self._supervisor is None:
            return True
        parent = parent_of(pid)
        above = parent_of(parent) if role == WORKERS and parent is not None else parent
        return above == self._supervisor


def parent_of(pid: int) -> int | None:
    """The process that this one is a child of; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1])
