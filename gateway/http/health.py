"""Health on its own loopback listener: alive, and ready; nothing else, for nobody else."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOPBACK = "127.0.0.1"


class HealthListener:
    """``/healthz`` while the supervisor lives; ``/readyz`` 200 only when ``ready`` finds everything true."""

    def __init__(self, port: int, ready: Callable[[], Mapping[str, bool]]) -> None:
        """Raises OSError when the port is taken."""
        self._server = ThreadingHTTPServer((_LOOPBACK, port), _handler(ready))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and gives the port back."""
        self._server.shutdown()
        self._server.server_close()


def _handler(ready: Callable[[], Mapping[str, bool]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "passerelle"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._reply(200, {"alive": True})
            elif self.path == "/readyz":
                found = ready()
                self._reply(200 if all(found.values()) else 503, found)
            else:
                self._reply(404, {})

        def _reply(self, status: int, content: Mapping[str, bool]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Nothing: probes come every second."""

    return Handler
