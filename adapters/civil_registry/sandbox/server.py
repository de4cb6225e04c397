"""The sandbox's SOAP service over mutual TLS, its WSDL beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.civil_registry.sandbox.service import Service
from adapters.civil_registry.sandbox.settings import PATH, SandboxSettings
from adapters.civil_registry.sandbox.storage import Register
from adapters.sandboxing.messages import Response
from adapters.sandboxing.server import Listening, ServiceHandler, SystemClock, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sandboxing.behaviour import Mode
    from gateway.ports import Clock, Stop

_XML = {"Content-Type": "text/xml; charset=utf-8"}


def serve(settings: SandboxSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    made = Service(settings, clock or SystemClock())

    class Handler(_SoapHandler):
        service = made
        settings_of = settings
        kept = settings.kept

    listening = Listening(
        settings.host,
        settings.port,
        settings.control_port,
        settings.tls_certificate,
        settings.tls_key,
        settings.client_ca,
    )
    run(listening, Handler, stop, ready)


class _SoapHandler(ServiceHandler):
    service: Service
    settings_of: SandboxSettings
    server_version = "CivilRegistrySandbox"
    system = "civil-registry-sandbox"

    def setup(self) -> None:
        super().setup()
        self.register = Register(self.settings_of.database)

    def finish(self) -> None:
        self.register.close()
        super().finish()

    def get(self) -> None:
        names = {f"{PATH}?wsdl": "civil_registry.wsdl", "/civil-registry/civil_registry.xsd": "civil_registry.xsd"}
        if (name := names.get(self.path)) is None:
            self.reply(404, _XML, b"")
            return
        self.reply(200, _XML, (self.settings_of.contract / name).read_bytes())

    def post(self, body: bytes) -> None:
        if self.path != PATH:
            self.reply(404, _XML, b"")
            return
        self.exchange(lambda mode: self._answer(body, mode), body)

    def _answer(self, data: bytes, mode: Mode) -> Response:
        answer = self.service.answer(data, self.register, mode)
        return Response(answer.status, _XML, answer.body, answer.outcome)
