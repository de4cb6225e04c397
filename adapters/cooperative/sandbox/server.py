"""The sandbox's REST service over mutual TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.answering import answered
from adapters.cooperative.sandbox.changing import Registrar
from adapters.cooperative.sandbox.state import state_key
from adapters.cooperative.sandbox.storage import Registry
from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.server import ServiceHandler, SystemClock, run
from adapters.sandboxing.signing import SigningService

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.cooperative.sandbox.settings import RegistrySettings
    from adapters.sandboxing.messages import Call
    from gateway.ports import Clock, Stop


def serve(settings: RegistrySettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    time = clock or SystemClock()
    made, opened = SigningService(settings.signing, time), Registry(settings.database)

    class Handler(_RestHandler):
        service = made
        registry = opened
        registrar = Registrar(opened, state_key(settings.state_key), time.now)
        clock = time
        kept = settings.signing.kept

    try:
        run(settings.signing.listening, Handler, stop, ready)
    finally:
        opened.dispose()


class _RestHandler(ServiceHandler):
    service: SigningService
    registry: Registry
    registrar: Registrar
    clock: Clock
    server_version = "CooperativeSandbox"
    system = "cooperative-sandbox"

    def get(self) -> None:
        self.post(b"")

    def post(self, body: bytes) -> None:
        call, headers = self.call(body), self.fields()
        self.exchange(lambda mode: self.service.answer(call, headers, mode, lambda: self._told(call, mode)), body)

    def _told(self, call: Call, mode: Mode) -> dict[str, object]:
        told = answered(call, self.registry, self.registrar, self.clock.now())
        return told | {"waiting": "beaucoup"} if mode is Mode.MALFORMED else told
