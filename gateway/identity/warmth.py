"""Keeps verdicts warm: a worker's loop finds them ready when revocation data changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.identity.parties import Parties
    from gateway.ports import Clock

_EVERY_SECONDS = 1.0


class Warmth:
    """A native thread beside a worker's loop; where it fails or ends, the loop looks for itself again."""

    def __init__(self, parties: Callable[[], Parties], clock: Clock) -> None:
        """``parties`` gives those of the policy in force."""
        self._parties = parties
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)

    def start(self) -> None:
        """Begins to look each second."""
        self._thread.start()

    def close(self) -> None:
        """Looks no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                self._parties().keep_warm(self._clock.now())
            except Exception:  # noqa: BLE001  whatever it is, the loop then judges by itself
                structlog.get_logger("certificates").error("verdicts_not_prepared", exc_info=True)
