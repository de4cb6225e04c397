"""The benefits administration's notice service over mutual TLS, its WSDL beside it, and its switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.benefits.sandbox.answering import Reception
from adapters.benefits.sandbox.settings import PATH
from adapters.sandboxing.notices import Notices
from adapters.sandboxing.server import ServiceHandler, SystemClock, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.benefits.sandbox.settings import BenefitsSettings
    from gateway.ports import Clock, Stop

_XML = {"Content-Type": "text/xml; charset=utf-8"}
_DOCUMENTS = {f"{PATH}?wsdl": "ReceptionAvis.wsdl", "/services/Avis.xsd": "Avis.xsd"}


def serve(settings: BenefitsSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing.
    """
    opened = Notices(settings.database)
    made = Reception(settings.documents, opened, clock or SystemClock())

    class Handler(_SoapHandler):
        reception = made
        documents = settings.documents
        kept = settings.kept

    try:
        run(settings.listening, Handler, stop, ready)
    finally:
        opened.dispose()


class _SoapHandler(ServiceHandler):
    reception: Reception
    documents: Path
    server_version = "BenefitsSandbox"
    system = "benefits-sandbox"

    def get(self) -> None:
        if (name := _DOCUMENTS.get(self.path)) is None:
            self.reply(404, _XML, b"")
            return
        self.reply(200, _XML, (self.documents / name).read_bytes())

    def post(self, body: bytes) -> None:
        if self.path != PATH:
            self.reply(404, _XML, b"")
            return
        self.exchange(lambda mode: self.reception.answer(body, mode), body)
