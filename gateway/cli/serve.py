"""`passerelle serve` and `passerelle sandbox`: the long-running processes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog

from gateway.app import Worker
from gateway.cli.common import compose, settings_of
from gateway.cli.supervisor import PARENT, Supervisor, check_free
from gateway.errors import PasserelleError
from gateway.http.server import ServerOptions, WorkerServer
from gateway.http.tls import ServerTls, let_in, server_context
from gateway.logs import alarm, configure_logs
from gateway.nirec.memory import NirecMask, forbid_core_dumps
from gateway.overview import observer
from gateway.refresher import refresh
from gateway.sandboxes import run_sandbox
from gateway.system import SystemClock, SystemRandomness, end_with_parent, stop_on_signal
from gateway.watch.meters import Door, Meters
from gateway.watch.snapshots import FOLDER, Reporter, snapshot_folder

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


def serve(config: Path | None, role: str) -> None:
    """Runs a role until it is told to stop; raises ConfigurationError, KeystoreError, LedgerError, OSError."""
    forbid_core_dumps()
    path, settings = settings_of(config)
    configure_logs(settings.folders.logs / f"{role}.jsonl", settings.log_level, NirecMask(settings.nirec.pattern))
    if PARENT in os.environ and role != "all":
        end_with_parent(int(os.environ[PARENT]))
    if role == "workers":
        serve_workers(settings)
    elif role == "keystore":
        parent = os.environ.get(PARENT)
        compose(settings).serve_keys(stop_on_signal(), None if parent is None else int(parent))
    elif role == "sequencer":
        compose(settings).sequence(stop_on_signal())
    elif role == "refresher":
        refresh(settings, SystemClock(), SystemRandomness(), stop_on_signal())
    else:
        composition = compose(settings)
        composition.prepare()
        if composition.bundle.development:
            structlog.get_logger("serve").warning("development_policy", threshold=composition.bundle.officers.threshold)
        snapshots = snapshot_folder(composition.clock)
        try:
            Supervisor(path, settings, composition.backlog, observer(composition, snapshots), snapshots).run()
        finally:
            shutil.rmtree(snapshots, ignore_errors=True)


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
        structlog.get_logger("worker").info("ready", pid=os.getpid())
        return worker.application()

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


def sandbox(name: Literal["civil-registry", "cooperative"], config: Path | None) -> None:
    """Runs a sandbox until it is told to stop; raises ConfigurationError when it is not configured."""
    _, settings = settings_of(config)
    if PARENT in os.environ:
        end_with_parent(int(os.environ[PARENT]))
    configured = settings.sandbox_cooperative if name == "cooperative" else settings.sandbox_civil_registry
    if configured is not None:
        for port in (configured.port, configured.control_port):
            check_free(configured.host, port)
    run_sandbox(name, settings, stop_on_signal(), lambda: None)
