"""The workers' process of `passerelle serve`: one listener, and a Flask application in each worker."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gateway.app import Worker
from gateway.cli.common import compose
from gateway.errors import PasserelleError
from gateway.http.server import ServerOptions, WorkerServer
from gateway.http.tls import ServerTls, let_in, server_context
from gateway.logs import alarm
from gateway.nirec.memory import forbid_core_dumps
from gateway.watch.meters import Door, Meters
from gateway.watch.snapshots import FOLDER, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from flask import Flask

    from gateway.composition import Composition
    from gateway.model import Received
    from gateway.policy.bundle import Bundle
    from gateway.ports import Upstream
    from gateway.settings import Settings

_BEGIN_AGAIN_SECONDS = 2


def serve_workers(settings: Settings, upstreams: Mapping[str, Upstream] | None = None) -> None:
    """Runs the workers until they are told to stop; ``upstreams`` stand in for the configured ones (benchmarks)."""
    composition = compose(settings)
    context = listener_tls(composition)
    workers: list[Worker] = []
    counted: list[Meters] = []
    reporters: list[Reporter] = []

    def make() -> Flask:
        # After the fork: connections, keys and the writer's life belong to one process.
        forbid_core_dumps()
        meters = Meters()
        counted.append(meters)

        def counted_alarm(received: Received, fault: Exception) -> None:
            meters.fault()
            alarm(received, fault)

        worker = _worker(lambda: Worker(composition, counted_alarm, upstreams, meters, let_in_authorities))
        workers.append(worker)
        if FOLDER in os.environ:
            reporters.append(Reporter(meters, Path(os.environ[FOLDER]), composition.clock))
            reporters[-1].start()
        application = worker.application()
        structlog.get_logger("worker").info("ready", pid=os.getpid())
        return application

    def close() -> None:
        for worker in workers:
            worker.close()
        for reporter in reporters:
            reporter.close()

    def let_in_authorities(bundle: Bundle) -> None:
        let_in(context, authorities_of(bundle))

    def at_the_door(what: Door) -> None:
        counted[0].at_the_door(what)

    WorkerServer(options_of(settings), context, make, close, at_the_door).run()


def _worker(make: Callable[[], Worker]) -> Worker:
    """A worker that cannot begin ends alone: gunicorn would take those that serve down with it."""
    try:
        return make()
    except PasserelleError as error:
        structlog.get_logger("worker").error("cannot_begin", exc_info=error)
        time.sleep(_BEGIN_AGAIN_SECONDS)
        os._exit(1)


def listener_tls(composition: Composition) -> SSLContext:
    """The listener's TLS: our certificate, and the authorities of the policy's parties."""
    keys, name = composition.settings.folders.keys, composition.generations.name("tls-server")
    return server_context(ServerTls(keys / f"{name}.pem", keys / f"{name}.key", authorities_of(composition.bundle)))


def authorities_of(bundle: Bundle) -> list[str]:
    """Every certificate, PEM, by which a policy's parties are known."""
    return [pem for item in bundle.authorities.values() for pem in (*item.roots, *item.intermediates)]


def options_of(settings: Settings) -> ServerOptions:
    """How the workers listen."""
    listen = settings.listen
    return ServerOptions(
        host=listen.host,
        port=listen.port,
        workers=listen.workers,
        graceful_seconds=listen.graceful_seconds,
        keepalive_seconds=listen.keepalive_seconds,
    )
