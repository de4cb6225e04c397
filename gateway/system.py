"""The world's side of two ports: the system's clock and its random generator; and how a child ends with its parent."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import threading
import time
from datetime import UTC, datetime
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


def end_with_parent(parent: int) -> None:
    """Asks the kernel to stop this process when its parent dies; stops at once if ``parent`` is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
