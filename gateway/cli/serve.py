"""`passerelle serve` and `passerelle sandbox`: the long-running processes."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import structlog

from gateway.app import Worker
from gateway.cli.common import compose, settings_of
from gateway.cli.supervisor import PARENT, Supervisor
from gateway.http.server import ServerOptions, WorkerServer
from gateway.http.tls import ServerTls, server_context
from gateway.logs import alarm, configure_logs
from gateway.nirec.memory import NirecMask, forbid_core_dumps
from gateway.sandboxes import run_sandbox
from gateway.system import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from ssl import SSLContext

    from flask import Flask

    from gateway.app import Composition
    from gateway.ports import Upstream
    from gateway.settings import Settings


def serve(config: Path | None, role: str) -> None:
    """Runs a role until it is told to stop; raises ConfigurationError, KeystoreError, LedgerError, OSError."""
    forbid_core_dumps()
    path, settings = settings_of(config)
    configure_logs(settings.folders.logs / f"{role}.jsonl", settings.log_level, NirecMask(settings.nirec.pattern))
    if PARENT in os.environ and role != "all":
        end_with_parent(int(os.environ[PARENT]))
    if role == "workers":
        serve_workers(settings)
    elif role == "sequencer":
        compose(settings).sequence(stop_on_signal())
    else:
        composition = compose(settings)
        composition.prepare()
        Supervisor(path, settings, composition.backlog).run()


def serve_workers(settings: Settings, upstreams: Mapping[str, Upstream] | None = None) -> None:
    """Runs the workers until they are told to stop; ``upstreams`` stand in for the configured ones (benchmarks)."""
    composition = compose(settings)
    composition.check_adopted()
    workers: list[Worker] = []

    def make() -> Flask:
        # After the fork: connections, keys and the writer's life belong to one process.
        forbid_core_dumps()
        worker = Worker(composition, alarm, upstreams)
        workers.append(worker)
        structlog.get_logger("worker").info("ready", pid=os.getpid())
        return worker.application()

    def close() -> None:
        for worker in workers:
            worker.close()

    WorkerServer(options_of(settings), listener_tls(composition), make, close).run()


def listener_tls(composition: Composition) -> SSLContext:
    """The listener's TLS: our certificate, and the authorities of the policy's parties."""
    keys = composition.settings.folders.keys
    authorities = [
        pem for item in composition.bundle.authorities.values() for pem in (*item.roots, *item.intermediates)
    ]
    return server_context(ServerTls(keys / "tls-server.pem", keys / "tls-server.key", authorities))


def options_of(settings: Settings) -> ServerOptions:
    """How the workers listen."""
    listen = settings.listen
    return ServerOptions(
        host=listen.host,
        port=listen.port,
        workers=listen.workers,
        threads=listen.threads,
        graceful_seconds=listen.graceful_seconds,
        keepalive_seconds=listen.keepalive_seconds,
    )


def sandbox(config: Path | None) -> None:
    """Runs the sandbox civil registry until it is told to stop."""
    _, settings = settings_of(config)
    if PARENT in os.environ:
        end_with_parent(int(os.environ[PARENT]))
    run_sandbox(settings, stop_on_signal(), lambda: None)


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
