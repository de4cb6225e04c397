"""A sandbox's control listener, plain HTTP on loopback: ``GET /counter`` and ``POST /behaviour``."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from adapters.sandboxing.behaviour import Behaviour, Mode

if TYPE_CHECKING:
    from adapters.sandboxing.behaviour import Switchboard

_LARGEST = 1024
_LONGEST_MS = 60_000
_DEFAULT_SLOW_MS = 10_000


def control_server(host: str, port: int, switchboard: Switchboard) -> ThreadingHTTPServer:
    """The listener, bound and not yet serving."""

    class Handler(_ControlHandler):
        board = switchboard

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server


class _ControlHandler(BaseHTTPRequestHandler):
    board: Switchboard

    def do_GET(self) -> None:
        if self.path == "/counter":
            self._reply(200, {"requests": self.board.requests})
        else:
            self._reply(404, {"error": "GET /counter or POST /behaviour"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/behaviour" or not length.isdecimal() or int(length) > _LARGEST:
            self._reply(404, {"error": "GET /counter or POST /behaviour"})
            return
        try:
            behaviour = read_behaviour(self.rfile.read(int(length)))
        except ValueError:
            self._reply(400, {"error": "mode is one of " + ", ".join(Mode) + "; delay_ms from 0 to 60000"})
            return
        self.board.switch(behaviour)
        self._reply(200, {"mode": behaviour.mode, "delay_ms": behaviour.delay_ms})

    def _reply(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing: the service's own line per request is the log."""


def read_behaviour(body: bytes) -> Behaviour:
    """The behaviour of a JSON document; ``slow`` without a delay takes ten seconds. Raises ValueError."""
    document = json.loads(body)
    if not isinstance(document, dict) or set(document) - {"mode", "delay_ms"}:
        raise ValueError("not a behaviour")
    mode = Mode(document.get("mode", Mode.NORMAL))
    delay = document.get("delay_ms", _DEFAULT_SLOW_MS if mode is Mode.SLOW else 0)
    if type(delay) is not int or not 0 <= delay <= _LONGEST_MS:
        raise ValueError("not a delay")
    return Behaviour(mode, delay)
