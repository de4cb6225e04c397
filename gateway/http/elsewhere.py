"""How a request waits inside a worker's loop: what blocks is done in a native thread, and the loop serves others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

import gevent
from gevent.threadpool import ThreadPool
from greenlet import getcurrent

from gateway.waiting import ThreadBaton

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenlet import greenlet

    from gateway.model import Grant, Reply
    from gateway.ports import Baton, Upstream

T = TypeVar("T")


class Elsewhere:
    """ports.Waiting for the loop of the thread that makes it; in any other thread, waiting is plain blocking."""

    def __init__(self, threads: int) -> None:
        """At most so many things are done elsewhere at once; what comes then waits its turn."""
        self._hub = gevent.get_hub()
        self._thread = threading.get_ident()
        self._pool = ThreadPool(threads, hub=self._hub)

    def blocking(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises."""
        if threading.get_ident() != self._thread:
            return work()
        result: list[T] = []
        # caught there and raised here: the pool itself would print what it sees
        error = self._pool.apply(_caught, (work, result))
        if error is not None:
            raise error
        return result[0]

    def baton(self) -> Baton:
        """To be acquired in this thread, and released in any."""
        return _LoopBaton(self._hub, self._thread) if threading.get_ident() == self._thread else ThreadBaton()

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        if threading.get_ident() == self._thread:
            gevent.sleep(seconds)
        else:
            threading.Event().wait(seconds)


class AskedElsewhere:
    """ports.Upstream: another system, asked without keeping the loop waiting."""

    def __init__(self, upstream: Upstream, elsewhere: Elsewhere) -> None:
        self._upstream = upstream
        self._elsewhere = elsewhere

    def call(self, grant: Grant) -> Reply:
        """As the upstream answers or raises."""
        return self._elsewhere.blocking(lambda: self._upstream.call(grant))


def _caught(work: Callable[[], T], result: list[T]) -> BaseException | None:
    try:
        result.append(work())
    except BaseException as error:  # noqa: BLE001  raised again where it was asked for
        return error
    return None


class _LoopBaton:
    __slots__ = ("_given", "_hub", "_thread", "_waiter")

    def __init__(self, hub: gevent.hub.Hub, thread: int) -> None:
        self._hub = hub
        self._thread = thread
        self._given = False
        self._waiter: greenlet | None = None

    def acquire(self) -> None:
        while not self._given:
            self._waiter = getcurrent()
            try:
                self._hub.switch()
            finally:
                self._waiter = None

    def release(self) -> None:
        self._given = True
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            self._hub.loop.run_callback_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._hub.loop.run_callback(self._switch)

    def _switch(self) -> None:
        if self._waiter is not None:
            self._waiter.switch()
