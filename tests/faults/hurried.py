"""`passerelle batch ...` as a process whose waits are compressed: an hour without an answer passes in seconds.

    python -m tests.faults.hurried TIMES FILE batch verify-nirec ...

Compressed is the clock of the client's gate alone: how long it waits before it asks again, and for how long nobody has
answered. The pace, the signatures, and all that the gateway and the registry wait for are in real time. FILE gets a
line at each failure: the seconds without an answer, by that clock, and the reason.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.main import run
from gateway.client import batch
from gateway.client.batch_gate import Gate
from gateway.system import SystemClock

if TYPE_CHECKING:
    import threading

    from gateway.ports import Clock, Randomness


class HurriedClock(SystemClock):
    """A clock that runs so many times faster; the time of day is the true one."""

    def __init__(self, times: float) -> None:
        self._times = times

    def monotonic(self) -> float:
        return super().monotonic() * self._times


def hurried(times: float, told: Path) -> type[Gate]:
    """The gate by such a clock, which tells of each failure."""

    class HurriedGate(Gate):
        def __init__(self, _: Clock, randomness: Randomness, stop: threading.Event) -> None:
            super().__init__(HurriedClock(times), randomness, stop)

        def fail(self, reason: str, retry_after: float = 0) -> None:
            super().fail(reason, retry_after)
            with told.open("a", encoding="utf-8") as file:
                file.write(f"{self.failing_for()} {reason}\n")

    return HurriedGate


def main(arguments: list[str]) -> int:
    """The command line's exit code."""
    times, told, *command = arguments
    batch.Gate = hurried(float(times), Path(told))  # type: ignore[attr-defined]  # all that is other than in a user's process
    return run(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
