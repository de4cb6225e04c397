"""The world's side of three ports: the system's clock, its random generator, and how a process learns to end."""

from __future__ import annotations

import ctypes
import os
import secrets
import select
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from math import ceil
from uuid import UUID

_PR_SET_PDEATHSIG = 1
_PAGE = 4096


class SystemClock:
    """ports.Clock."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  the one place that reads the wall clock

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


class SystemRandomness:
    """ports.Randomness, drawn from the system in pages: a call for each nonce would give the interpreter's lock away.

    A page is used once, and thrown away in a forked child, so that no two processes ever share one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._page = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def bytes(self, count: int) -> bytes:
        """``count`` bytes from the system's generator."""
        with self._lock:
            if self._at + count > len(self._page):
                self._page, self._at = secrets.token_bytes(max(_PAGE, count)), 0
            drawn = self._page[self._at : self._at + count]
            self._at += count
        return drawn

    def uuid(self) -> UUID:
        """A UUIDv4."""
        return UUID(bytes=self.bytes(16), version=4)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._page, self._at = b"", 0


class SystemStop:
    """ports.Stop, over a pipe.

    threading.Event has a lock, and a handler that runs while the same thread holds it waits for ever: a process that
    was told twice to end stayed, and kept the lead from those who came after it.
    """

    def __init__(self) -> None:
        self._told = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """Tells whoever waits, now and later; nothing here can wait."""
        self._told = True
        with suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def is_set(self) -> bool:
        """Whether it has been told."""
        return self._told

    def wait(self, timeout: float | None = None) -> bool:
        """Returns when it is told, or after ``timeout`` seconds; whether it was."""
        if not self._told:
            # The byte is never read: each waiter, in any thread, finds it there.
            poll = select.poll()
            poll.register(self._read, select.POLLIN)
            poll.poll(None if timeout is None else ceil(timeout * 1000))
        return self._told


def stop_on_signal() -> SystemStop:
    """A stop that SIGTERM and SIGINT tell."""
    stop = SystemStop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def end_with_parent(parent: int) -> None:
    """Asks the kernel to stop this process when its parent dies; stops at once if ``parent`` is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
