"""gunicorn around the application: workers that end TLS themselves, and finish what they began."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from flask import Flask

#: How many more objects than before make the collector look: a few hundred requests' worth.
_YOUNG = 50_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the workers listen; seconds for the two times."""

    host: str
    port: int
    workers: int
    threads: int
    graceful_seconds: int
    keepalive_seconds: int


class WorkerServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Two workers or more around an application that each makes for itself, after the fork."""

    def __init__(
        self,
        options: ServerOptions,
        context: ssl.SSLContext,
        make: Callable[[], Flask],
        at_exit: Callable[[], None],
    ) -> None:
        self._options = options
        self._context = context
        self._make = make
        self._at_exit = at_exit
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings; see its documentation for each."""
        options = self._options
        values: dict[str, Any] = {
            "bind": f"{options.host}:{options.port}",
            "workers": options.workers,
            "threads": options.threads,
            "worker_class": "gthread",
            "graceful_timeout": options.graceful_seconds,
            "keepalive": options.keepalive_seconds,
            "timeout": options.graceful_seconds + 10,
            "limit_request_line": 2048,
            "limit_request_fields": 40,
            "limit_request_field_size": 8190,
            "loglevel": "warning",
            "proc_name": "passerelle",
            # is_ssl asks for a certificate's path; the context itself comes from the hook below
            "certfile": __file__,
            "ssl_context": lambda _config, _default: self._context,
            "post_worker_init": lambda _worker: _settle_memory(),
            "worker_exit": lambda _server, _worker: self._at_exit(),
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application of one worker."""
        return self._make()


def _settle_memory() -> None:
    """What a worker is made of lives as long as it does: the collector need not walk over it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
