"""The sandbox's REST service over mutual TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.service import PATH, Service
from adapters.cooperative.sandbox.storage import WaitingList
from adapters.sandboxing.server import Response, ServiceHandler, SystemClock, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.cooperative.sandbox.settings import SandboxSettings
    from adapters.sandboxing.behaviour import Mode
    from gateway.ports import Clock, Stop


def serve(settings: SandboxSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    made = Service(settings, clock or SystemClock())

    class Handler(_RestHandler):
        service = made
        settings_of = settings
        kept = settings.kept

    run(settings.listening, Handler, stop, ready)


class _RestHandler(ServiceHandler):
    service: Service
    settings_of: SandboxSettings
    server_version = "CooperativeSandbox"
    system = "cooperative-sandbox"

    def get(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.reply(404, {}, b"")
            return
        self.exchange(self._answer)

    def _answer(self, mode: Mode) -> Response:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with WaitingList(self.settings_of.database) as waiting_list:
            return self.service.answer(self.path, headers, waiting_list, mode)
