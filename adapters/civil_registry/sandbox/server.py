"""The sandbox's listeners: the SOAP service over mutual TLS with keep-alive, and its control beside it."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import TYPE_CHECKING

from adapters.civil_registry.sandbox.behaviour import Mode, Switchboard
from adapters.civil_registry.sandbox.control import control_server
from adapters.civil_registry.sandbox.service import Service
from adapters.civil_registry.sandbox.settings import PATH, SandboxSettings
from adapters.civil_registry.sandbox.storage import Register

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from gateway.ports import Clock, Stop

_LARGEST = 64 * 1024
_IDLE = 60.0
_POLL = 0.1
_XML = "text/xml; charset=utf-8"


class SystemClock:
    """The sandbox's own clock: it is another organisation's system, and shares nothing with the gateway."""

    def now(self) -> datetime:
        """The present, UTC."""
        return datetime.now(UTC)  # noqa: TID251  the one place where this system reads the time

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return monotonic()


def serve(settings: SandboxSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    board = Switchboard()
    service = Service(settings, clock or SystemClock())
    with ExitStack() as stack:
        servers = (
            stack.enter_context(_SoapServer(settings, service, board)),
            stack.enter_context(control_server(settings.host, settings.control_port, board)),
        )
        for server in servers:
            threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True).start()
            stack.callback(server.shutdown)
        ready()
        stop.wait()


class _SoapServer(ThreadingHTTPServer):
    daemon_threads = True
    # Connections live as long as their client likes; the process does not wait for them.
    block_on_close = False
    request_queue_size = 64

    def __init__(self, settings: SandboxSettings, service: Service, board: Switchboard) -> None:
        self.settings = settings
        self.service = service
        self.board = board
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.tls.load_cert_chain(settings.tls_certificate, settings.tls_key)
        self.tls.load_verify_locations(settings.client_ca)
        super().__init__((settings.host, settings.port), _SoapHandler)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.settimeout(_IDLE)
        # The handshake is left to the connection's own thread: a slow one must not stop the others.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that failed: no HTTP was spoken on it, so there is no request to log."""


class _SoapHandler(BaseHTTPRequestHandler):
    server: _SoapServer
    protocol_version = "HTTP/1.1"
    server_version = "CivilRegistrySandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        if self.server.board.behaviour.mode is Mode.DOWN:
            raise ConnectionAbortedError
        self.request.do_handshake()
        super().setup()
        self.register = Register(self.server.settings.database)

    def finish(self) -> None:
        self.register.close()
        super().finish()

    def do_GET(self) -> None:
        names = {f"{PATH}?wsdl": "civil_registry.wsdl", "/civil-registry/civil_registry.xsd": "civil_registry.xsd"}
        if (name := names.get(self.path)) is None:
            self._reply(404, b"")
            return
        self._reply(200, (self.server.settings.contract / name).read_bytes())

    def do_POST(self) -> None:
        started = monotonic()
        length = self.headers.get("Content-Length", "")
        if self.path != PATH or not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self._reply(404 if self.path != PATH else 413, b"")
            return
        data = self.rfile.read(int(length))
        self.server.board.count()
        behaviour = self.server.board.behaviour
        sleep(behaviour.delay_ms / 1000)
        if behaviour.mode is Mode.DOWN:
            self.close_connection = True
            self._log(0, "down", started)
            return
        response = self.server.service.answer(data, self.register, behaviour.mode)
        # First the line, then the answer: whoever has an answer finds it in the log.
        self._log(response.status, response.outcome, started)
        self._reply(response.status, response.body)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _XML)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _log(self, status: int, outcome: str, started: float) -> None:
        line = {
            "event": "request",
            "system": "civil-registry-sandbox",
            "status": status,
            "outcome": outcome,
            "ms": round((monotonic() - started) * 1000, 1),
        }
        sys.stderr.write(json.dumps(line) + "\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing: ``_log`` writes the one line of a request."""
