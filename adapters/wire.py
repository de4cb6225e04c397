"""HTTPS to an upstream: our certificate, a vetted server, and one deadline over all that happens on the wire."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from ssl import SSLSocket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from urllib3.response import BaseHTTPResponse

    from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is spoken to and how: files in PEM, the roots that its certificate must lead to, ours and its key."""

    ca_file: Path
    certificate_file: Path
    key_file: Path
    connections: int


class Deadline(threading.local):
    """When the present thread's call is over.

    A timeout of the libraries is for one read each: an answer that trickles would outlive any of them.
    """

    until = math.inf

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin(self, seconds: float) -> None:
        """A call begins that may take so long."""
        self.until = self._clock.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left; raises TimeoutError when there are none."""
        left = self.until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Vetted(HTTPSConnection):
    #: What vetting its server gave.
    vetted: object = None


def vetted_as(response: BaseHTTPResponse) -> object:
    """What ``vet_server`` gave for the connection that this answer comes over; asked before it is read to its end."""
    return getattr(response.connection, "vetted", None)


def pool_to(
    url: str, peer: Peer, deadline: Deadline, vet_server: Callable[[bytes], object] | None
) -> HTTPSConnectionPool:
    """Kept connections to the host of an https address, each of which keeps the deadline.

    Nothing of the environment counts here, neither its proxies nor its authorities. ``vet_server`` judges the server's
    certificate (DER) once per connection, before anything is sent.
    """
    timed = _timed(deadline)

    class Connection(_Vetted):
        @property
        def is_connected(self) -> bool:
            # Asked before a kept connection is used again. urllib3 looks whether the socket has something that nobody
            # asked for; what TLS has taken off the socket already is not to be seen there.
            unasked = self.sock.pending() if isinstance(self.sock, SSLSocket) else 0
            return not unasked and super().is_connected

        def connect(self) -> None:
            if self.ssl_context is None:
                self.ssl_context = create_urllib3_context()
                self.ssl_context.sslsocket_class = timed
            super().connect()
            if vet_server is None:
                return
            try:
                self.vetted = vet_server(
                    (self.sock.getpeercert(binary_form=True) if isinstance(self.sock, SSLSocket) else None) or b""
                )
            except BaseException:
                self.close()
                raise

        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            made.settimeout(deadline.left())  # the handshake's, as a whole
            return made

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    address = urlsplit(url)
    return Pool(
        address.hostname or "",
        address.port,
        maxsize=peer.connections,
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(peer.ca_file),
        cert_file=str(peer.certificate_file),
        key_file=str(peer.key_file),
    )


def _timed(deadline: Deadline) -> type[SSLSocket]:
    """A socket that waits, each time it waits, for no longer than the call still has."""

    class Timed(SSLSocket):
        def read(self, *arguments: Any) -> Any:
            self.settimeout(deadline.left())
            return super().read(*arguments)

        def send(self, *arguments: Any) -> int:
            self.settimeout(deadline.left())
            return super().send(*arguments)

    return Timed
