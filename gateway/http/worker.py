"""The worker: one loop over all its connections; a slow or silent peer costs a greenlet, never a thread."""

from __future__ import annotations

import errno
import os
import resource
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent.event import Event
from gevent.socket import socket as loop_socket
from gevent.socket import wait_read
from gunicorn.workers.base import Worker

from gateway.http.connection import Connection

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from gateway.http.connection import Arrival
    from gateway.http.tally import Tally
    from gateway.model import Released
    from gateway.watch.meters import Door

_SWEEP_SECONDS = 0.5
_MOST_YIELDS = 8
_YIELD_SECONDS = 0.0005
_BREATH_SECONDS = 0.1
_TELL_SECONDS = 1.0
#: gunicorn ends a worker that is still there at the end of the grace: it is to have ended itself before.
_MARGIN_SECONDS = 1.5
#: File descriptors that are not connections: the database, logs, upstreams, and what is read in passing.
_OWN_FILES = 200
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class LoopWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's worker around a gevent loop, without patching anything: what blocks is done elsewhere.

    A new connection is left to a worker that has fewer: kept-alive connections stay where they are, and of 32
    one worker of two would often have 25. It waits for the other a few milliseconds at most, so that one that
    hangs keeps nobody out.
    """

    tally: ClassVar[Tally]
    context: ClassVar[ssl.SSLContext]
    turned_away_at_the_door: ClassVar[Callable[[Door], None]]
    alive: bool
    place = 0
    _untold = 0
    _tell_again = 0.0

    def init_process(self) -> None:
        """After the fork: as many file descriptors as the system grants."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        super().init_process()

    def init_signals(self) -> None:
        """As gunicorn does it; an interrupt at the terminal reaches us too, and ends nothing that was begun."""
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)

    def run(self) -> None:
        """Serves until it is told to stop; then what is begun is finished, within the time that it has."""
        self._connections: set[Connection] = set()
        self._yields = 0
        self._stopping = Event()
        gevent.get_hub().exception_stream = None  # what fails in a greenlet is told by failed()
        listeners = [listener.sock for listener in self.sockets]
        accepting = [gevent.spawn(self._accept, listener) for listener in listeners]
        for each in accepting:
            each.link_exception(self._cannot_accept)
        signals = gevent.spawn(self._await_signals)
        while self.alive:
            self.notify()
            self._sweep()
            self._stopping.wait(_SWEEP_SECONDS)
            if self.ppid != os.getppid():
                self.alive = False
        # New callers are refused at once; they would wait in the queue otherwise, and be reset at the end.
        gevent.killall([*accepting, signals])
        for listener in listeners:
            listener.close()
        self._finish()

    @property
    def application(self) -> Callable[..., Any]:
        """The WSGI application."""
        application: Callable[..., Any] = self.wsgi
        return application

    @property
    def exchange(self) -> Callable[[Arrival], Released] | None:
        """The application's own way for what can be nothing but an exchange."""
        return getattr(self.wsgi, "exchange", None)

    def turned_away(self, what: Door, error: BaseException) -> None:
        """Counted and logged; never recorded, and never with a byte of what came (section 1, N1)."""
        type(self).turned_away_at_the_door(what)
        self._untold += 1
        if (now := monotonic()) < self._tell_again:
            return  # strangers do not fill our logs
        self.log.info("%s: %s (%d since the last line)", what.replace("_", " "), type(error).__name__, self._untold)
        self._tell_again = now + _TELL_SECONDS
        self._untold = 0

    def failed(self, error: BaseException) -> None:
        """By its type and place only."""
        self.log.error("a connection failed", exc_info=error)

    def _accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)  # noqa: FBT003  the library's signature
        self.server = listener.getsockname()
        while True:
            wait_read(listener.fileno())
            if len(self._connections) > self.tally.fewest() and self._yields < _MOST_YIELDS:
                self._yields += 1
                gevent.sleep(_YIELD_SECONDS)
                continue
            self._yields = 0
            if not self._has_room():
                gevent.sleep(_YIELD_SECONDS)  # then those that it ended are gone
                if not self._has_room():
                    gevent.sleep(_BREATH_SECONDS)
                    continue
            try:
                client, address = listener.accept()
            except BlockingIOError:
                continue  # another worker was faster
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self.log.warning("no connection can be taken: %s", os.strerror(error.errno))
                    self._make_room(1)
                gevent.sleep(_BREATH_SECONDS)
                continue
            self._take(client, address)

    def _cannot_accept(self, greenlet: gevent.Greenlet[..., None]) -> None:
        """A worker that takes nobody any more ends, and gunicorn starts another."""
        self.log.error("the listener failed", exc_info=greenlet.exception)
        self.alive = False
        self._stopping.set()

    def _take(self, client: socket.socket, address: tuple[str, int]) -> None:
        raw = loop_socket(client.family, client.type, fileno=client.detach())
        connection = Connection(raw, address, self)
        self._connections.add(connection)
        self.tally.set(self.place, len(self._connections))
        connection.greenlet = gevent.spawn(connection.serve)
        connection.greenlet.link(lambda _: self._gone(connection))

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self.tally.set(self.place, len(self._connections))

    def _has_room(self) -> bool:
        """For one connection more, within the limit that the system sets now; made of those that only wait."""
        # an operator can change the limit of a process that runs (prlimit): what is our own stays free
        room = max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OWN_FILES)
        excess = len(self._connections) - room + 1
        if excess > 0:
            self._make_room(excess)
        return excess <= 0

    def _make_room(self, count: int) -> None:
        """Ends the connections on which nothing has been said for longest: who is at work goes on."""
        waiting = (one for one in self._connections if _only_waits(one))
        # strangers who have not even shaken hands go before parties that are silent
        _end(sorted(waiting, key=lambda one: (one.proven, one.deadline))[:count], _only_waits)

    def _sweep(self) -> None:
        """Ends the connections whose time is over, and those that wait where there is no room for them."""
        self._has_room()
        _end([one for one in self._connections if _is_late(one)], _is_late)

    def _await_signals(self) -> None:
        """The handlers of gunicorn run in this loop: a signal writes a byte into its pipe."""
        while self.alive:
            wait_read(self.PIPE[0])
            os.read(self.PIPE[0], 64)
        self._stopping.set()

    def _finish(self) -> None:
        until = monotonic() + max(0.0, float(self.cfg.graceful_timeout) - _MARGIN_SECONDS)
        while monotonic() < until:
            _end([one for one in self._connections if one.idle], _is_idle)
            gevent.sleep(0)
            if not self._connections:
                return
            self.notify()
            gevent.joinall([one.greenlet for one in self._connections if one.greenlet], timeout=_SWEEP_SECONDS, count=1)
            self._sweep()
        working = sum(one.busy for one in self._connections)
        self.log.error("%d exchanges were not finished in time", working)


def _is_idle(connection: Connection) -> bool:
    return connection.idle


def _only_waits(connection: Connection) -> bool:
    return connection.idle or not connection.proven


def _is_late(connection: Connection) -> bool:
    return not connection.busy and connection.deadline < monotonic()


def _end(connections: list[Connection], still: Callable[[Connection], bool]) -> None:
    """Ends them when the loop comes to it, those of which ``still`` holds then.

    One that has begun a request meanwhile goes on: its record may be on its way to the disk.
    """
    loop = gevent.get_hub().loop
    for connection in connections:
        loop.run_callback(_end_one, connection, still)


def _end_one(connection: Connection, still: Callable[[Connection], bool]) -> None:
    greenlet = connection.greenlet
    if greenlet is not None and not greenlet.dead and still(connection):
        greenlet.throw(gevent.GreenletExit)
