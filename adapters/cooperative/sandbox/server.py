"""The sandbox's REST service over mutual TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.answering import Call
from adapters.cooperative.sandbox.service import Service
from adapters.cooperative.sandbox.storage import Registry
from adapters.sandboxing.server import LARGEST, Response, ServiceHandler, SystemClock, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.cooperative.sandbox.changing import Registrar
    from adapters.cooperative.sandbox.settings import SandboxSettings
    from adapters.sandboxing.behaviour import Mode
    from gateway.ports import Clock, Stop


def serve(settings: SandboxSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    made, opened = Service(settings, clock or SystemClock()), Registry(settings.database)

    class Handler(_RestHandler):
        service = made
        registry = opened
        registrar = made.registrar(opened)
        kept = settings.kept

    try:
        run(settings.listening, Handler, stop, ready)
    finally:
        opened.dispose()


class _RestHandler(ServiceHandler):
    service: Service
    registry: Registry
    registrar: Registrar
    server_version = "CooperativeSandbox"
    system = "cooperative-sandbox"

    def get(self) -> None:
        self._answer(b"")

    def post(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self.reply(413, {}, b"")
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        digest = headers.get("content-digest", "") if body else ""
        call = Call(self.command, self.path, body, digest, headers.get("idempotency-key", ""))

        def answer(mode: Mode) -> Response:
            return self.service.answer(call, headers, self.registry, self.registrar, mode)

        self.exchange(answer, body)
