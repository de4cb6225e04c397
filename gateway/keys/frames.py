"""What is said between a process that has keys and one that uses them: frames of a length and so many bytes.

A request is its operation (one byte), the length of the key's name (one byte), the name, the data. A reply is 0 and the
result, or 1 and the error's key and values in JSON. Replies come in the order of the requests.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError

if TYPE_CHECKING:
    from pathlib import Path

SIGN, MAC, PUBLIC_KEY, HELLO = 1, 2, 3, 4
#: Far above any signature base or SignedInfo of ours.
LARGEST = 1 << 20
_LENGTH = struct.Struct(">I")
_GOOD, _BAD = b"\0", b"\1"


class FrameError(Exception):
    """Bytes that are no frame of ours."""


def request(operation: int, name: str, data: bytes) -> bytes:
    """A request as it is sent."""
    named = name.encode()
    return _framed(bytes((operation, len(named))) + named + data)


def read_request(frame: bytes) -> tuple[int, str, bytes]:
    """The operation, the key's name and the data; raises FrameError."""
    if len(frame) < 2 or len(frame) < 2 + frame[1]:  # noqa: PLR2004  operation and length
        raise FrameError("request too short")
    try:
        name = frame[2 : 2 + frame[1]].decode("ascii")
    except UnicodeDecodeError:
        raise FrameError("name not ASCII") from None
    return frame[0], name, frame[2 + frame[1] :]


def reply(result: bytes) -> bytes:
    """A good reply as it is sent."""
    return _framed(_GOOD + result)


def failure(error: KeystoreError) -> bytes:
    """An error as it is sent; its values as text."""
    values = {name: str(value) for name, value in error.values.items()}
    return _framed(_BAD + json.dumps([error.key, values]).encode())


def read_reply(frame: bytes) -> bytes:
    """The result; raises KeystoreError as the other side did, or FrameError."""
    if frame[:1] == _GOOD:
        return frame[1:]
    try:
        key, values = json.loads(frame[1:])
        error = KeystoreError(key, **values)
    except (ValueError, TypeError):
        raise FrameError("reply is none") from None
    raise error


class Frames:
    """Frames out of a stream."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now; raises FrameError for one that is too large."""
        self._held += data
        found: list[bytes] = []
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > LARGEST:
                raise FrameError("frame too large")
            if len(self._held) < _LENGTH.size + length:
                break
            found.append(bytes(self._held[_LENGTH.size : _LENGTH.size + length]))
            del self._held[: _LENGTH.size + length]
        return found


def at(directory: int, path: Path) -> str:
    """The socket's address through an open directory: a path of its own may be longer than a socket's may be."""
    return f"/proc/self/fd/{directory}/{path.name}"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user on the other side, as the kernel says (SO_PEERCRED, unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    return pid, uid


def _framed(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
