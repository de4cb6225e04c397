"""The ministry's notice service over mutual TLS, and its switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.answering import Call
from adapters.cooperative.sandbox.service import Service
from adapters.ministry.sandbox.answering import answered
from adapters.ministry.sandbox.storage import Notices
from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.server import LARGEST, Response, ServiceHandler, SystemClock, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from adapters.cooperative.sandbox.settings import SandboxSettings
    from gateway.ports import Clock, Stop


def serve(settings: SandboxSettings, stop: Stop, ready: Callable[[], None], clock: Clock | None = None) -> None:
    """Serves until ``stop`` is set; calls ``ready`` once both listeners accept connections.

    Raises OSError when a port is taken or a file is missing, UnsafeFileError for a key that others can read.
    """
    time = clock or SystemClock()
    made, opened = Service(settings, time), Notices(settings.database)

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
    service: Service
    notices: Notices
    clock: Clock
    server_version = "MinistrySandbox"
    system = "ministry-sandbox"

    def post(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self.reply(413, {}, b"")
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, body, headers.get("content-digest", ""))

        def answer(mode: Mode) -> Response:
            return self.service.signed_answer(call, headers, mode, lambda: self._fields(call, mode))

        self.exchange(answer, body)

    def _fields(self, call: Call, mode: Mode) -> dict[str, object]:
        fields = answered(call, self.notices, self._now())
        return fields | {"accuse": {"etat": "PEUT_ETRE"}} if mode is Mode.MALFORMED else fields

    def _now(self) -> datetime:
        return self.clock.now()
