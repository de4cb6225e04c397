"""A sandbox's listeners: a service over mutual TLS with keep-alive, and its control beside it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import TYPE_CHECKING
from uuid import uuid4

from adapters.sandboxing.behaviour import Mode, Switchboard
from adapters.sandboxing.control import control_server
from adapters.sandboxing.messages import Call
from certs.files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from adapters.sandboxing.messages import Response
    from gateway.ports import Stop

_LARGEST = 64 * 1024
_IDLE = 60.0
_POLL = 0.1


class SystemClock:
    """A sandbox's own clock: it is another organisation's system, and shares nothing with the gateway."""

    def now(self) -> datetime:
        """The present, UTC."""
        return datetime.now(UTC)  # noqa: TID251  the one place where these systems read the time

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return monotonic()


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a sandbox listens and who it is in TLS; files in PEM.

    Attributes:
        host: address of both listeners.
        port: of the service, mutual TLS.
        control_port: of the plain-HTTP control listener, loopback only.
        certificate: the leaf, then its issuing CA.
        key: the TLS private key.
        client_ca: roots that client certificates must lead to.
    """

    host: str
    port: int
    control_port: int
    certificate: Path
    key: Path
    client_ca: Path


class ServiceHandler(BaseHTTPRequestHandler):
    """One connection; a sandbox's own handler says what it answers with ``exchange``."""

    server: ServiceServer
    protocol_version = "HTTP/1.1"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    #: The word for the system in its log lines.
    system = "sandbox"
    #: Where the messages that come and go are kept; None for nowhere.
    kept: Path | None = None

    def get(self) -> None:
        """Answers a GET; a sandbox's own."""
        self.reply(404, {}, b"")

    def post(self, _body: bytes) -> None:
        """Answers a POST; a sandbox's own."""
        self.reply(404, {}, b"")

    def do_GET(self) -> None:
        """As the base class calls it."""
        self.get()

    def do_POST(self) -> None:
        """As the base class calls it; what is too large, or has no length, is not read."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self.reply(413, {}, b"")
            return
        self.post(self.rfile.read(int(length)))

    def fields(self) -> dict[str, str]:
        """The request's headers by small names."""
        return {name.lower(): value for name, value in self.headers.items()}

    def call(self, body: bytes) -> Call:
        """The request, whose body was read."""
        headers = self.fields()
        digest = headers.get("content-digest", "") if body else ""
        return Call(self.command, self.path, body, digest, headers.get("idempotency-key", ""))

    def setup(self) -> None:
        """Ends the connection of a system that is down, or says nothing; else the handshake, in this thread."""
        if self.server.board.behaviour.mode is Mode.DOWN or self._silent():
            raise ConnectionAbortedError
        self.request.do_handshake()
        super().setup()

    def exchange(self, answer: Callable[[Mode], Response], asked: bytes = b"") -> None:
        """Counts a request, behaves as the switches say, and sends what ``answer`` makes; ``asked`` is its body."""
        started = monotonic()
        turn = self.server.board.count()
        behaviour = self.server.board.behaviour
        if self._silent():
            self.close_connection = True
            self._log(0, "silent", started)
            return
        held = behaviour.mode is Mode.HELD
        if not held:
            sleep(behaviour.delay_ms / 1000)
        if behaviour.mode is Mode.DOWN or (behaviour.mode is Mode.FLAPPING and turn % 2):
            self.close_connection = True
            self._log(0, "down", started)
            return
        response = answer(behaviour.mode)
        self._keep(asked, response.body)
        # First the line, then the answer: whoever has an answer finds it in the log.
        self._log(response.status, response.outcome, started)
        if held:
            sleep(behaviour.delay_ms / 1000)
        if behaviour.mode is Mode.LOST:
            self.close_connection = True
            return
        if behaviour.mode is Mode.RESET:
            self._reset(response)
            return
        for one in self._sent(behaviour.mode, response):
            self.reply(one.status, one.headers, one.body)

    def _silent(self) -> bool:
        """Whether nothing was to be said; then it is not any more."""
        said_nothing = False
        while self.server.board.behaviour.mode is Mode.SILENT:
            said_nothing = True
            sleep(_POLL)
        return said_nothing

    def _sent(self, mode: Mode, response: Response) -> Sequence[Response]:
        """What goes out on this connection in the end; where nothing does, it is closed."""
        if mode is Mode.NORMAL:
            self.server.last = response
        if mode is Mode.ANOTHER:
            return (self.server.last or response,)
        if mode is not Mode.LATE:
            return (response, response) if mode is Mode.TWICE else (response,)
        before = self.server.before(response)
        self.close_connection = before is None
        return () if before is None else (before,)

    def _reset(self, response: Response) -> None:
        """Sends half of an answer, and breaks the connection off."""
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body[: len(response.body) // 2])
        self.wfile.flush()
        # no time to linger: what is closed so is reset, and not ended (socket(7), SO_LINGER)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Sends an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _keep(self, *bodies: bytes) -> None:
        """Before the answer: whoever has one finds it kept. They hold personal data: nobody else may read them."""
        if self.kept is not None:
            name = uuid4()
            for part, body in zip(("request", "answer"), bodies, strict=True):
                if body:
                    write_private(self.kept / f"{name}.{part}", body)

    def _log(self, status: int, outcome: str, started: float) -> None:
        line = {
            "event": "request",
            "system": self.system,
            "status": status,
            "outcome": outcome,
            "ms": round((monotonic() - started) * 1000, 1),
        }
        sys.stderr.write(json.dumps(line) + "\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing: ``_log`` writes the one line of a request."""


class ServiceServer(ThreadingHTTPServer):
    """The service's listener."""

    daemon_threads = True
    # Connections live as long as their client likes; the process does not wait for them.
    block_on_close = False
    request_queue_size = 64
    #: The last answer that was as it should be.
    last: Response | None = None

    def __init__(self, listening: Listening, handler: type[ServiceHandler], board: Switchboard) -> None:
        """Raises OSError when the port is taken or a file is missing."""
        self.board = board
        self._before: Response | None = None
        self._before_lock = threading.Lock()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.tls.load_cert_chain(listening.certificate, listening.key)
        self.tls.load_verify_locations(listening.client_ca)
        super().__init__((listening.host, listening.port), handler)

    def before(self, response: Response) -> Response | None:
        """The answer that came before this one, which is kept for the next."""
        with self._before_lock:
            before, self._before = self._before, response
        return before

    def get_request(self) -> tuple[socket.socket, object]:
        """A connection, its handshake still to come."""
        connection, address = super().get_request()
        connection.settimeout(_IDLE)
        # The handshake is left to the connection's own thread: a slow one must not stop the others.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that failed: no HTTP was spoken on it, so there is no request to log."""


def run(listening: Listening, handler: type[ServiceHandler], stop: Stop, ready: Callable[[], None]) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections. Raises OSError."""
    board = Switchboard()
    with ExitStack() as stack:
        servers = (
            stack.enter_context(ServiceServer(listening, handler, board)),
            stack.enter_context(control_server(listening.host, listening.control_port, board)),
        )
        for server in servers:
            threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True).start()
            stack.callback(server.shutdown)
        ready()
        stop.wait()
