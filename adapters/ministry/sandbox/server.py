"""The ministry's notice service over mutual TLS, and its switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.ministry.sandbox.answering import answered
from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.notices import Notices
from adapters.sandboxing.server import ServiceHandler, SystemClock, run
from adapters.sandboxing.signing import SigningService

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sandboxing.identity import SigningSettings
    from adapters.sandboxing.messages import Call
    from gateway.ports import Clock, Stop


def serve(
    settings: SigningSettings, database: str, stop: Stop, ready: Callable[[], None], clock: Clock | None = None
) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    ``database`` is the address of its notices. Raises OSError when a port is taken or a file is missing,
    UnsafeFileError for a key that others can read.
    """
    time = clock or SystemClock()
    made, opened = SigningService(settings, time), Notices(database)

    class Handler(_NoticeHandler):
        service = made
        notices = opened
        clock = time
        kept = settings.kept

    try:
        run(settings.listening, Handler, stop, ready)
    finally:
        opened.dispose()


class _NoticeHandler(ServiceHandler):
    service: SigningService
    notices: Notices
    clock: Clock
    server_version = "MinistrySandbox"
    system = "ministry-sandbox"

    def post(self, body: bytes) -> None:
        call, headers = self.call(body), self.fields()
        self.exchange(lambda mode: self.service.answer(call, headers, mode, lambda: self._told(call, mode)), body)

    def _told(self, call: Call, mode: Mode) -> dict[str, object]:
        told = answered(call, self.notices, self.clock.now())
        return told | {"accuse": {"etat": "PEUT_ETRE"}} if mode is Mode.MALFORMED else told
