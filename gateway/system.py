"""The world's side of two ports: the system's clock and its random generator; and how a child ends with its parent."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

_PR_SET_PDEATHSIG = 1


class SystemClock:
    """ports.Clock."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  the one place that reads the wall clock

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


class SystemRandomness:
    """ports.Randomness."""

    def bytes(self, count: int) -> bytes:
        """``count`` bytes from the system's generator."""
        return secrets.token_bytes(count)

    def uuid(self) -> UUID:
        """A UUIDv4."""
        return uuid4()


def end_with_parent(parent: int) -> None:
    """Asks the kernel to stop this process when its parent dies; stops at once if ``parent`` is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
