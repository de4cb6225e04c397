"""How work waits where each request has a thread of its own; a worker's loop has its own way (http/elsewhere.py)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Baton

T = TypeVar("T")


class ThreadBaton:
    """ports.Baton between threads."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def acquire(self) -> None:
        """Returns when it has been given."""
        self._lock.acquire()

    def release(self) -> None:
        """Gives it."""
        self._lock.release()


class Threads:
    """ports.Waiting where each request has a thread: whoever waits blocks it."""

    def blocking(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises."""
        return work()

    def baton(self) -> Baton:
        """A lock that another thread opens."""
        return ThreadBaton()

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        threading.Event().wait(seconds)
