"""gunicorn around the application: workers that end TLS themselves, and finish what they began."""

from __future__ import annotations

import gc
import mmap
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from gateway.http.tls import PATIENCE_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection

    from flask import Flask

#: How many more objects than before make the collector look: a few hundred requests' worth.
_YOUNG = 50_000
_MOST_YIELDS = 8
_YIELD_SECONDS = 0.0005
_NOBODY = 0xFFFF
_NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the workers listen; seconds for the two times."""

    host: str
    port: int
    workers: int
    threads: int
    graceful_seconds: int
    keepalive_seconds: int


class Tally:
    """How many connections each worker has: two bytes a place, in memory that all of them share."""

    def __init__(self, workers: int) -> None:
        # twice as many, since old and new workers live side by side for a moment when they are replaced
        self._places = 2 * workers
        self._counts = memoryview(mmap.mmap(-1, 2 * self._places)).cast("H")
        for place in range(self._places):
            self.set(place, _NOBODY)

    def free(self, taken: Collection[int]) -> int:
        """A place that is not taken; the last one, shared, where all are."""
        return next((place for place in range(self._places) if place not in taken), self._places - 1)

    def set(self, place: int, count: int) -> None:
        """One worker's connections."""
        self._counts[place] = min(count, _NOBODY)

    def fewest(self) -> int:
        """What the least busy worker has."""
        return min(self._counts)


class FairWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A gthread worker that leaves a new connection to one that has fewer.

    Whoever wakes first would get it otherwise, and kept-alive connections stay where they are: of 32, one worker
    of two often has 25, and with them one core's work while the other idles. It waits for the other a few
    milliseconds at most, so that one that hangs keeps nobody out.
    """

    tally: ClassVar[Tally]
    nr_conns: int
    place = 0
    _yields = 0

    def accept(self, listener: socket.socket) -> None:
        """Takes the connection, or leaves it in the queue."""
        self.tally.set(self.place, self.nr_conns)
        if self.nr_conns > self.tally.fewest() and self._yields < _MOST_YIELDS:
            self._yields += 1
            time.sleep(_YIELD_SECONDS)
            return
        self._yields = 0
        super().accept(listener)
        self.tally.set(self.place, self.nr_conns)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  gunicorn's signature
        """As gunicorn does it; a worker that stops gives its listener back, so that new callers are refused at once.

        Otherwise they would wait in the queue until the exchanges in flight are over, and be reset then.
        """
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def handle_error(self, req: object, client: socket.socket, addr: object, exc: BaseException) -> None:
        """What is no HTTP, before step 1: a bare 400, and a log line without a byte of what came (N1).

        gunicorn would put its exception's text into both, and that text quotes the request.
        """
        _ = req, addr
        self.log.info("not http: %s", type(exc).__name__)
        with suppress(OSError):
            client.sendall(_NOT_HTTP)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """As gunicorn does it; the connection may be closed after it."""
        before = self.nr_conns
        super().finish_request(conn, fs)
        # gunicorn counts a connection out twice when closing it fails, as after a reset; below nothing, a worker that
        # stops would not wait for the exchanges in flight.
        self.nr_conns = max(self.nr_conns, before - 1)
        self.tally.set(self.place, self.nr_conns)


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
            "worker_class": self._worker_class(),
            "pre_fork": _take_place,
            "child_exit": _leave_place,
            "graceful_timeout": options.graceful_seconds,
            "keepalive": options.keepalive_seconds,
            "timeout": options.graceful_seconds + 10,
            "limit_request_line": 2048,
            "limit_request_fields": 40,
            "limit_request_field_size": 8190,
            "logger_class": ServerLog,
            "when_ready": _wake_for_speakers_only,
            "proc_name": "passerelle",
            # is_ssl asks for a certificate's path; the context itself comes from the hook below
            "certfile": __file__,
            "ssl_context": lambda _config, _default: self._context,
            "post_fork": _stay_on_one_core,
            "post_worker_init": lambda _worker: _settle_memory(),
            "worker_exit": lambda _server, _worker: self._at_exit(),
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def _worker_class(self) -> type[FairWorker]:
        return type("SharingWorker", (FairWorker,), {"tally": Tally(self._options.workers)})

    def load(self) -> Flask:
        """The application of one worker."""
        return self._make()


def _wake_for_speakers_only(arbiter: Any) -> None:
    """A connection on which nothing was ever said wakes no worker (TCP_DEFER_ACCEPT, tcp(7))."""
    for listener in arbiter.LISTENERS:
        listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE_SECONDS)


def _take_place(arbiter: Any, worker: FairWorker) -> None:
    """Before the fork: a place that no living worker has, with no connection yet."""
    worker.place = worker.tally.free({other.place for other in arbiter.WORKERS.values()})
    worker.tally.set(worker.place, 0)


def _leave_place(_arbiter: object, worker: FairWorker) -> None:
    worker.tally.set(worker.place, _NOBODY)


def _stay_on_one_core(arbiter: Any, worker: FairWorker) -> None:
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
