"""`passerelle serve` and `passerelle sandbox`: the long-running processes.

Each role is a process of its own, and imports what it needs and no more: four of them begin at once.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import structlog

from gateway.addressees import takers
from gateway.cli.common import compose, settings_of
from gateway.cli.supervisor import PARENT, Supervisor, check_free
from gateway.logs import configure_logs
from gateway.nirec.memory import NirecMask, forbid_core_dumps
from gateway.system import SystemClock, SystemRandomness, end_with_parent, stop_on_signal
from gateway.watch.snapshots import snapshot_folder

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import SandboxName, Settings


def serve(config: Path | None, role: str) -> None:
    """Runs a role until it is told to stop; raises ConfigurationError, KeystoreError, LedgerError, OSError."""
    forbid_core_dumps()
    path, settings = settings_of(config)
    configure_logs(settings.folders.logs / f"{role}.jsonl", settings.log_level, NirecMask(settings.nirec.pattern))
    if PARENT in os.environ and role != "all":
        end_with_parent(int(os.environ[PARENT]))
    if role == "workers":
        from gateway.cli.workers import serve_workers  # noqa: PLC0415  this role's imports

        serve_workers(settings)
    elif role == "keystore":
        parent = os.environ.get(PARENT)
        compose(settings).serve_keys(stop_on_signal(), None if parent is None else int(parent))
    elif role == "sequencer":
        compose(settings).sequence(stop_on_signal())
    elif role == "dispatcher":
        from gateway.dispatcher import Dispatcher  # noqa: PLC0415  the same

        stop = stop_on_signal()
        Dispatcher(compose(settings), stop).run()
    elif role == "refresher":
        from gateway.refresher import refresh  # noqa: PLC0415  the same

        refresh(settings, SystemClock(), SystemRandomness(), stop_on_signal())
    else:
        supervise(path, settings)


def supervise(path: Path, settings: Settings) -> None:
    """Runs all roles as children; raises as ``serve`` does."""
    from gateway.overview import observer  # noqa: PLC0415  the same

    composition = compose(settings)
    composition.prepare()
    if composition.bundle.development:
        structlog.get_logger("serve").warning("development_policy", threshold=composition.bundle.officers.threshold)
    snapshots = snapshot_folder(composition.clock)
    try:
        delivers = bool(takers(composition.contracts).keys() & settings.upstreams.keys())
        watched = observer(composition, snapshots)
        Supervisor(path, settings, composition.backlog, watched, snapshots, delivers=delivers).run()
    finally:
        shutil.rmtree(snapshots, ignore_errors=True)


def sandbox(
    name: SandboxName,
    config: Path | None,
    *,
    keep: bool,
    registrations: int = 0,
) -> None:
    """Runs a sandbox until it is told to stop; raises ConfigurationError when it is not configured.

    ``keep``: it keeps the messages that come and go, in its own folder. ``registrations``: how many the cooperative's
    registry holds at the least.
    """
    from gateway.sandboxes import fill_registrations, run_sandbox  # noqa: PLC0415  the same

    _, settings = settings_of(config)
    if PARENT in os.environ:
        end_with_parent(int(os.environ[PARENT]))
    configured = settings.sandbox(name)
    for port in (configured.port, configured.control_port):
        check_free(configured.host, port)
    if name == "cooperative" and registrations:
        fill_registrations(settings, registrations, SystemClock(), SystemRandomness())
    run_sandbox(name, settings, stop_on_signal(), lambda: None, keep=keep)
