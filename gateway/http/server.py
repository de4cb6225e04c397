"""gunicorn around the application: workers that end TLS themselves, and finish what they began."""

from __future__ import annotations

import gc
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from gateway.http.connection import PATIENCE_SECONDS
from gateway.http.tally import Tally
from gateway.http.worker import LoopWorker

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from flask import Flask

    from gateway.watch.meters import Door

#: How many more objects than before make the collector look: a few hundred requests' worth.
_YOUNG = 50_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the workers listen; seconds for the two times."""

    host: str
    port: int
    workers: int
    graceful_seconds: int
    keepalive_seconds: int


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log through ours: JSON, masked, and an exception by its type and place only."""

    def setup(self, cfg: Any) -> None:
        """No handlers of its own."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.disabled = True

    def exception(self, msg: str, *args: object, **kwargs: object) -> None:
        """An error with its exception, whose text is left out further on."""
        self.error_log.error(msg, *args, exc_info=True, **kwargs)


class WorkerServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Two workers or more around an application that each makes for itself, after the fork."""

    def __init__(
        self,
        options: ServerOptions,
        context: ssl.SSLContext,
        make: Callable[[], Flask],
        at_exit: Callable[[], None],
        at_the_door: Callable[[Door], None] = lambda _what: None,
    ) -> None:
        self._options = options
        self._context = context
        self._make = make
        self._at_exit = at_exit
        self._at_the_door = at_the_door
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings; see its documentation for each."""
        options = self._options
        values: dict[str, Any] = {
            "bind": f"{options.host}:{options.port}",
            "workers": options.workers,
            "worker_class": self._worker_class(),
            "pre_fork": _take_place,
            "child_exit": _leave_place,
            "graceful_timeout": options.graceful_seconds,
            "keepalive": options.keepalive_seconds,
            "timeout": options.graceful_seconds + 10,
            # nobody stands between a caller and us, so nobody may say who the caller is
            "forwarded_allow_ips": "",
            "limit_request_line": 2048,
            "limit_request_fields": 40,
            "limit_request_field_size": 8190,
            "logger_class": ServerLog,
            "when_ready": _wake_for_speakers_only,
            "proc_name": "passerelle",
            # nothing that can steer the workers lies in a home folder, where all gateways of a user would share it
            "control_socket_disable": True,
            # is_ssl asks for a certificate's path; the context itself comes from the hook below
            "certfile": __file__,
            "ssl_context": lambda _config, _default: self._context,
            "post_fork": _stay_on_one_core,
            "post_worker_init": lambda _worker: _settle_memory(),
            "worker_exit": lambda _server, _worker: self._at_exit(),
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def _worker_class(self) -> type[LoopWorker]:
        shared = {
            "tally": Tally(self._options.workers),
            "context": self._context,
            "turned_away_at_the_door": staticmethod(self._at_the_door),
        }
        return type("SharingWorker", (LoopWorker,), shared)

    def load(self) -> Flask:
        """The application of one worker."""
        return self._make()


def _wake_for_speakers_only(arbiter: Any) -> None:
    """A connection on which nothing was ever said wakes no worker (TCP_DEFER_ACCEPT, tcp(7))."""
    for listener in arbiter.LISTENERS:
        listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(PATIENCE_SECONDS))


def _take_place(arbiter: Any, worker: LoopWorker) -> None:
    """Before the fork: a place that no living worker has, with no connection yet."""
    worker.place = worker.tally.free({other.place for other in arbiter.WORKERS.values()})
    worker.tally.set(worker.place, 0)


def _leave_place(_arbiter: object, worker: LoopWorker) -> None:
    worker.tally.leave(worker.place)


def _stay_on_one_core(arbiter: Any, worker: LoopWorker) -> None:
    """Where every core has a worker, each stays on its own: an interpreter runs one thread at a time anyway.

    Its threads then hand over on one core, with warm caches and without waking another. With fewer workers than
    cores nothing is pinned: the kernel has room to choose, and other programs may be there.
    """
    cores = sorted(os.sched_getaffinity(0))
    if arbiter.cfg.workers >= len(cores):
        os.sched_setaffinity(0, {cores[worker.place % len(cores)]})


def _settle_memory() -> None:
    """What a worker is made of lives as long as it does: the collector need not walk over it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
