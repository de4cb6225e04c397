"""The witness's listener: one path, small bodies, few connections, plain HTTP on loopback or TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import structlog

from gateway.witness.request import LARGEST_BODY
from gateway.witness.witness import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATH = "/add-checkpoint"
#: A peer that is silent for so long is left, and one whose request has not come whole by then.
_SILENT_SECONDS = 10.0
_MOST_CONNECTIONS = 64
_NOT_FOUND, _NO_METHOD, _NO_LENGTH, _TOO_LARGE, _OURS = 404, 405, 411, 413, 500


class WitnessServer:
    """Answers ``POST /add-checkpoint`` with what ``judge`` says; ``GET /healthz`` while it lives."""

    def __init__(
        self,
        host: str,
        port: int,
        judge: Callable[[bytes], Reply],
        tls: tuple[Path, Path] | None = None,
        request_seconds: float = _SILENT_SECONDS,
    ) -> None:
        """``tls`` is certificate chain and key, PEM; raises OSError for a port that is taken or a file unreadable."""
        self._server = _Server((host, port), judge, request_seconds)
        if tls is not None:
            self._server.context = _context(*tls)
        self._thread = threading.Thread(target=self._server.serve_forever, name="witness", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens; the one that the system chose where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and gives the port back; what is under way is dropped, which a witness may do at any moment."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread for each connection, and not more of them than ``_MOST_CONNECTIONS``."""

    daemon_threads = True
    request_queue_size = 32
    context: ssl.SSLContext | None = None

    def __init__(self, address: tuple[str, int], judge: Callable[[bytes], Reply], request_seconds: float) -> None:
        self.judge = judge
        self._request_seconds = request_seconds
        self._ends: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def awaits(self, connection: Any) -> None:
        """A request may come over this connection from now on, and has to be whole in time."""
        with self._lock:
            self._ends[connection] = time.monotonic() + self._request_seconds

    def service_actions(self) -> None:
        """Twice a second: ends what trickles, or strangers could hold every place with a byte now and then."""
        now = time.monotonic()
        with self._lock:
            for connection, end in self._ends.items():
                if end < now:
                    with suppress(OSError):
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(_SILENT_SECONDS)
            if self.context is not None:
                # here and not in the accepting thread, which a silent peer would keep
                request = self.context.wrap_socket(request, server_side=True)  # its timeout is for the whole handshake
            self.awaits(request)
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)  # a handshake that failed, or a peer that went away
        finally:
            with self._lock:
                self._ends.pop(request, None)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: what a peer does to its own connection is no news."""


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "passerelle-witness"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_SECONDS
    # head and body in one packet: the log waits for them before it publishes
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        if self.path != PATH:
            self._refuse(_NOT_FOUND)
            return
        if (length := self._length()) is None:
            return
        body = self.rfile.read(length)
        if len(body) != length:
            self.close_connection = True
            return
        try:
            self._reply(self.server.judge(body))
        except Exception:  # noqa: BLE001  whatever it is, nothing was signed, and the next request is heard
            structlog.get_logger("witness").error("not_cosigned", exc_info=True)
            self._refuse(_OURS)

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._reply(Reply(200, b"alive\n"))
        else:
            self._refuse(_NO_METHOD if self.path == PATH else _NOT_FOUND)

    def _length(self) -> int | None:
        """The body's length; None where one was refused already."""
        given = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(given) != 1 or not (given[0].isascii() and given[0].isdigit()):
            self._refuse(_NO_LENGTH)
        elif len(given[0]) > len(str(LARGEST_BODY)) or int(given[0]) > LARGEST_BODY:
            self._refuse(_TOO_LARGE)
        else:
            return int(given[0])
        return None

    def _refuse(self, status: int) -> None:
        # the body, if there is one, was not read: what follows on this connection is no request
        self.close_connection = True
        self._reply(Reply(status))

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)
        self.server.awaits(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing: one request a second, and strangers' paths."""
