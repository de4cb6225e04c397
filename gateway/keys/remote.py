"""The keystore port over another process that has the keys: nothing of a key is in this one (S7)."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from gateway.errors import KeystoreError
from gateway.keys import frames
from gateway.keys.certificates import CertificateFiles

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536
PATIENCE_SECONDS = 5.0


class Channel(Protocol):
    """A way to the process that has the keys."""

    def ask(self, request: bytes) -> bytes:
        """The reply's frame; raises KeystoreError where there is none."""
        ...

    def close(self) -> None:
        """Ends the connection; the next question makes another."""
        ...


class RemoteKeystore:
    """ports.Keystore whose every use is a question; certificates are files here too."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        """``folder`` holds the certificates."""
        self._channel = channel
        self._certificates = CertificateFiles(folder, self.public_key)
        self._public: dict[str, bytes] = {}

    def sign(self, key_id: str, data: bytes) -> bytes:
        """As the other process gives it."""
        return self._asked(frames.SIGN, key_id, data)

    def mac(self, key_id: str, data: bytes) -> bytes:
        """As the other process gives it."""
        return self._asked(frames.MAC, key_id, data)

    def public_key(self, key_id: str) -> bytes:
        """SubjectPublicKeyInfo, DER, of a signing key."""
        if key_id not in self._public:
            self._public[key_id] = self._asked(frames.PUBLIC_KEY, key_id, b"")
        return self._public[key_id]

    def certificate(self, key_id: str) -> bytes:
        """DER of the certificate that goes with a signing key."""
        return self._certificates.certificate(key_id)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _asked(self, operation: int, name: str, data: bytes) -> bytes:
        try:
            return frames.read_reply(self._channel.ask(frames.request(operation, name, data)))
        except (frames.FrameError, ValueError, UnicodeEncodeError):
            raise KeystoreError("keystore_unreachable") from None


class BlockingChannel:
    """One connection, one question at a time; made anew when it was lost."""

    def __init__(self, path: Path, role: str) -> None:
        self._path = path
        self._role = role
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None

    def ask(self, request: bytes) -> bytes:
        """The reply's frame; raises KeystoreError where the other process does not answer."""
        with self._lock:
            # Where the other process was restarted since, an old connection ends at the first question, which changes
            # nothing there: it is put once more.
            if self._connection is not None:
                try:
                    return self._exchanged(request)
                except ConnectionError:
                    self._end()
                except OSError:
                    self._end()
                    raise KeystoreError("keystore_unreachable") from None
            try:
                return self._exchanged(request)
            except OSError:
                self._end()
                raise KeystoreError("keystore_unreachable") from None

    def _exchanged(self, request: bytes) -> bytes:
        if self._connection is None:
            self._connection = connect(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), self._path, self._role)
        return exchange(self._connection, request)

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def connect(raw: socket.socket, path: Path, role: str) -> socket.socket:
    """``raw`` connected and admitted in this role; raises OSError, or KeystoreError where it is refused."""
    raw.settimeout(PATIENCE_SECONDS)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        raw.connect(frames.at(directory, path))
        _check_peer(raw)
        frames.read_reply(exchange(raw, frames.request(frames.HELLO, role, b"")))
    except BaseException:
        raw.close()
        raise
    finally:
        os.close(directory)
    return raw


def _check_peer(connection: socket.socket) -> None:
    """A socket that another user has put there gets nothing of ours."""
    if frames.peer(connection)[1] != os.geteuid():
        raise KeystoreError("keystore_refuses")


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """One question and its reply's frame; raises OSError."""
    connection.sendall(request)
    incoming = frames.Frames()
    while data := connection.recv(_CHUNK):
        if found := incoming.feed(data):
            return found[0]
    raise ConnectionResetError
