"""The servers that are compared: bare Flask, and the exchange, under one gunicorn and one TLS set-up.

python benchmarks/servers.py bare|exchange|soap CONFIG PORT
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from adapters.loopback import Loopback
from gateway.cli.common import compose
from gateway.cli.workers import listener_tls, options_of, serve_workers
from gateway.http.server import WorkerServer
from gateway.model import Reply
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    from gateway.model import Grant
    from gateway.ports import Upstream

#: As long as the exchange's answer: outcome, handle, salt.
FIXED = b'{"outcome":"confirmed","handle":"' + b"0" * 64 + b'","salt":"AAAAAAAAAAAAAAAAAAAAAA=="}'


class InProcess:
    """An upstream that confirms at once: what is measured is the exchange, not another system."""

    def call(self, grant: Grant) -> Reply:
        """Confirmed."""
        _ = grant
        return Reply("civil-registry", {"outcome": "confirmed"}, ())


def bare() -> Flask:
    """One route that reads the body and returns fixed JSON."""
    app = Flask("bare")

    def answer() -> Response:
        request.get_data()
        return Response(FIXED, content_type="application/json")

    app.add_url_rule("/v1/nirec/verifications", view_func=answer, methods=["POST"])
    app.add_url_rule("/v1/registrations/<handle>", view_func=lambda handle: answer(), methods=["GET"])  # noqa: ARG005  a route's own word
    return app


def main(kind: str, config: str, port: str) -> None:
    """Serves until SIGTERM."""
    settings = load_settings(Path(config), {})
    settings = settings.model_copy(update={"listen": settings.listen.model_copy(update={"port": int(port)})})
    if kind == "bare":
        WorkerServer(options_of(settings), listener_tls(compose(settings)), bare, lambda: None).run()
    else:
        upstreams: dict[str, Upstream] | None = (
            None if kind == "soap" else {"civil-registry": InProcess(), "loopback": Loopback()}
        )
        _with_sequencer(config, settings, upstreams)


def _with_sequencer(config: str, settings: Settings, upstreams: dict[str, Upstream] | None) -> None:
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", config, "--role", "sequencer"]
    sequencer = subprocess.Popen(command)
    try:
        serve_workers(settings, upstreams)
    finally:
        sequencer.send_signal(signal.SIGTERM)
        sequencer.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
