"""The loopback listener: alive, ready, and what an operator or Prometheus asks; for nobody outside this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOPBACK = "127.0.0.1"
_JSON = "application/json"
_OK, _NOT_FOUND, _OURS, _NOT_READY = 200, 404, 500, 503

#: What gives a page: its content type, and its bytes.
Page = tuple[str, bytes]


class HealthListener:
    """``/healthz`` while the supervisor lives; ``/readyz`` 200 only when ``ready`` finds everything true.

    ``pages`` are further paths (``/metrics``, ``/status``); one that fails is a 500 and a log line.
    """

    def __init__(
        self,
        port: int,
        ready: Callable[[], Mapping[str, bool]],
        pages: Mapping[str, Callable[[], Page]] | None = None,
    ) -> None:
        """Raises OSError when the port is taken."""
        self._server = ThreadingHTTPServer((_LOOPBACK, port), _handler(ready, pages or {}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens; the one that the system chose where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and gives the port back."""
        self._server.shutdown()
        self._server.server_close()


def _handler(
    ready: Callable[[], Mapping[str, bool]], pages: Mapping[str, Callable[[], Page]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "passerelle"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._reply_json(_OK, {"alive": True})
            elif self.path == "/readyz":
                found = ready()
                self._reply_json(_OK if all(found.values()) else _NOT_READY, found)
            elif (page := pages.get(self.path)) is not None:
                self._reply_page(page)
            else:
                self._reply_json(_NOT_FOUND, {})

        def _reply_page(self, page: Callable[[], Page]) -> None:
            try:
                content_type, body = page()
            except Exception:  # noqa: BLE001  what fails here must not end the listener, nor quote anything
                structlog.get_logger("health").error("page_failed", path=self.path, exc_info=True)
                self._reply_json(_OURS, {})
                return
            self._reply(_OK, content_type, body)

        def _reply_json(self, status: int, content: Mapping[str, bool]) -> None:
            self._reply(status, _JSON, json.dumps(content).encode())

        def _reply(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Nothing: probes come every second."""

    return Handler
