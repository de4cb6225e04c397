"""`passerelle serve`: its roles as children, started in order, restarted, stopped in order."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import structlog

from gateway.cli.output import Exit
from gateway.errors import ConfigurationError
from gateway.http.health import HealthListener
from gateway.keys.service import SOCKET
from gateway.system import SystemClock, SystemStop
from gateway.watch.facts import Role, to_json
from gateway.watch.history import HOUR
from gateway.watch.metrics import CONTENT_TYPE, exposition
from gateway.watch.snapshots import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.http.health import Page
    from gateway.settings import Settings
    from gateway.watch.facts import Facts
    from gateway.watch.observer import Observer

_ROLES = ("sequencer", "workers", "refresher")
#: Exchanges need these; without the refresher revocation data only grows old, and the alarms tell of it.
_NEEDED = ("sequencer", "workers")
#: Before all others, where there is one: they ask it for every signature (S7).
_KEYSTORE = "keystore"
#: Where somebody takes notices: without it they wait, and the alarms tell of it.
_DISPATCHER = "dispatcher"
_KEYSTORE_SECONDS = 10.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_HEALTHY = 60.0
_MOST_WAITING = 10_000
_LOOK = 0.1
_WATCH = 1.0
PARENT = "SUPERVISED_BY"


class Supervisor:
    """Keeps all roles running until it is told to stop; then no new exchange begins, and those begun finish."""

    def __init__(
        self,
        config: Path,
        settings: Settings,
        backlog: Callable[[], int],
        observer: Observer,
        snapshots: Path,
        *,
        delivers: bool = False,
    ) -> None:
        """``snapshots`` is the folder into which the children write what ``observer`` reads; ``delivers``: notices."""
        self._config = config
        self._settings = settings
        self._backlog = backlog
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        roles = (*_ROLES, _DISPATCHER) if delivers else _ROLES
        self._roles = (_KEYSTORE, *roles) if settings.keystore.process else roles
        self._pauses: dict[str, float] = dict.fromkeys(self._roles, _FIRST_PAUSE)
        self._started: dict[str, float] = {}
        self._since: dict[str, str] = {}
        self._restarts: dict[str, list[float]] = {role: [] for role in self._roles}
        self._exits: dict[str, int] = {}
        self._again: dict[str, float] = {}
        self._observer = observer
        self._snapshots = snapshots
        self._stop = SystemStop()
        self._log = structlog.get_logger("supervisor")

    def run(self) -> None:
        """Returns after a clean stop (SIGTERM, SIGINT); raises OSError when the health port is taken."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        listen = self._settings.listen
        check_free(listen.host, listen.port)
        check_free("127.0.0.1", listen.health_port)
        health = HealthListener(listen.health_port, self.ready, {"/status": self._status, "/metrics": self._metrics})
        health.start()
        watching = threading.Thread(target=self._watch, name="watch", daemon=True)
        watching.start()
        try:
            for role in self._roles:
                self._start(role)
                if role == _KEYSTORE:
                    self._await_keystore()
            while not self._stop.wait(_LOOK):
                self._restart_the_dead()
        finally:
            self._stop.set()
            self._end()
            health.stop()
            watching.join()
            # the last to have the database open leaves it without a write-ahead log
            self._observer.close()

    def ready(self) -> Mapping[str, bool]:
        """What must be true before callers are sent here."""
        alive = {role: self._alive(role) for role in self._roles if role in (_KEYSTORE, *_NEEDED)}
        return alive | {"listening": self._listening(), "sequencing": self._sequencing()}

    def facts(self) -> Facts:
        """What an operator asks for."""
        return self._observer.facts(tuple(self._role(role) for role in self._roles))

    def _status(self) -> Page:
        return "application/json", to_json(self.facts())

    def _metrics(self) -> Page:
        return CONTENT_TYPE, exposition(self.facts(), self._observer.totals())

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH):
            try:
                self._observer.tick()
            except Exception:  # noqa: BLE001  watching goes on, whatever fails for a moment
                self._log.error("watch_failed", exc_info=True)

    def _role(self, role: str) -> Role:
        child, restarts = self._children.get(role), self._restarts[role]
        lately = [at for at in restarts if time.monotonic() - at < HOUR]
        alive = self._alive(role)
        pid = child.pid if child is not None and alive else None
        return Role(role, pid, alive, self._since.get(role), len(restarts), len(lately), self._exits.get(role))

    def _alive(self, role: str) -> bool:
        child = self._children.get(role)
        return child is not None and child.poll() is None

    def _listening(self) -> bool:
        # A whole handshake as far as a stranger gets: gunicorn's socket accepts before any worker is there.
        listen = self._settings.listen
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is said over it; what is asked is whether anyone answers
        try:
            with (
                socket.create_connection((listen.host, listen.port), timeout=1) as raw,
                context.wrap_socket(raw) as connection,
            ):
                self._observer.probed()
                return connection.version() is not None
        except OSError:
            return False

    def _sequencing(self) -> bool:
        try:
            return (self._settings.folders.log / "checkpoint").exists() and self._backlog() < _MOST_WAITING
        except Exception:  # noqa: BLE001  not ready, whatever the reason
            return False

    def _start(self, role: str) -> None:
        command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(self._config), "--role", role]
        # The children end with us, even if we are killed: see end_with_parent.
        environ = os.environ | {PARENT: str(os.getpid()), FOLDER: str(self._snapshots)}
        self._children[role] = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            # an interrupt at the terminal is for the supervisor, which ends them in their order
            start_new_session=True,
        )
        self._started[role] = time.monotonic()
        self._since[role] = SystemClock().now().isoformat(timespec="seconds")
        self._log.info("started", role=role, pid=self._children[role].pid)

    def _await_keystore(self) -> None:
        """Until its socket is there, it has ended or had its time: the others would only fail and begin again."""
        until = time.monotonic() + _KEYSTORE_SECONDS
        path = self._settings.folders.db / SOCKET
        while not path.is_socket() and self._alive(_KEYSTORE) and time.monotonic() < until:
            if self._stop.wait(_LOOK):
                return

    def _restart_the_dead(self) -> None:
        for role in self._roles:
            if role in self._again:
                if time.monotonic() >= self._again[role]:
                    del self._again[role]
                    self._start(role)
                continue
            code = self._children[role].poll()
            if code is None:
                continue
            if code == Exit.USAGE:
                # It has said why on standard error; starting it again would change nothing.
                raise ConfigurationError("role_cannot_start", role=role)
            if time.monotonic() - self._started[role] > _HEALTHY:
                self._pauses[role] = _FIRST_PAUSE
            pause = self._pauses[role]
            self._log.error("ended", role=role, exit_code=code, restart_in_seconds=pause)
            self._pauses[role] = min(2 * pause, _LONGEST_PAUSE)
            self._exits[role] = code
            self._restarts[role].append(time.monotonic())
            # waited for apart: one that ends again and again keeps no other from its restart
            self._again[role] = time.monotonic() + pause

    def _end(self) -> None:
        # The workers first: whatever they still record, the sequencer then publishes.
        for role in reversed(self._roles):
            child = self._children.get(role)
            if child is None:
                continue
            child.terminate()
            try:
                child.wait(self._settings.listen.graceful_seconds + 15)
            except subprocess.TimeoutExpired:
                self._log.error("killed", role=role)
                child.kill()
                child.wait()


def check_free(host: str, port: int) -> None:
    """Raises OSError naming the address when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
