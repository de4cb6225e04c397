"""From the server's environment to a Received: the raw target, the body unread by any parser, the certificate."""

from __future__ import annotations

import threading
from errno import ECONNRESET
from typing import TYPE_CHECKING, Any

from gateway.model import Received

if TYPE_CHECKING:
    from ssl import SSLSocket

    from gateway.ports import Clock, Randomness

_MOST = 65_536
_BARE = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


class Receiver:
    """Makes a Received of a WSGI environment of gunicorn, which holds the TLS socket."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._names: dict[str, str] = dict(_BARE)
        self._lock = threading.Lock()

    def receive(self, environ: dict[str, Any]) -> Received:
        """The request as it came; a body past 64 KiB is not read, and says so.

        Raises ConnectionResetError when the body ends before its Content-Length: the connection is over.
        """
        headers = {self._name(key): value for key, value in environ.items() if key[:5] == "HTTP_" or key in _BARE}
        body = environ["wsgi.input"].read(_MOST + 1)
        oversize = len(body) > _MOST
        if not oversize and len(body) < int(environ.get("CONTENT_LENGTH") or 0):
            # RFC 9112, section 8: an incomplete message is none, though what came of it may be rightly signed.
            raise ConnectionResetError(ECONNRESET, "the body ended early")
        return Received(
            exchange_id=self._randomness.uuid(),
            method=environ["REQUEST_METHOD"],
            target=environ["RAW_URI"],
            headers=headers,
            body=b"" if oversize else body,
            tls_certificate=peer_certificate(environ),
            at=self._clock.now(),
            oversize=oversize,
        )

    def _name(self, key: str) -> str:
        name = self._names.get(key)
        if name is None:
            name = key[5:].replace("_", "-").lower()
            with self._lock:
                if len(self._names) < 256:  # noqa: PLR2004  callers could invent names without end
                    self._names[key] = name
        return name


def peer_certificate(environ: dict[str, Any]) -> bytes:
    """DER of the certificate that the handshake proved; the listener refuses those without one."""
    socket: SSLSocket = environ["gunicorn.socket"]
    return socket.getpeercert(binary_form=True) or b""
