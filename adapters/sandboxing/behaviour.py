"""How a sandbox behaves at the moment, and how often it was asked; both set and read by the control listener."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What an answer is made to be."""

    NORMAL = "normal"
    SLOW = "slow"
    DOWN = "down"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_CERTIFICATE = "wrong_certificate"
    MALFORMED = "malformed"
    #: The connection is reset in the middle of the answer; it ends before the answer, what was asked being done.
    RESET = "reset"
    LOST = "lost"
    #: What was asked is done at once, and answered after the delay.
    HELD = "held"
    #: Every other request finds it down; it takes connections and requests and says nothing.
    FLAPPING = "flapping"
    SILENT = "silent"
    #: Each answer is sent twice; what was asked is done, and the last good answer to another request is sent for it.
    TWICE = "twice"
    ANOTHER = "another"
    #: To each the answer to the one before it, to the first none.
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A mode; ``delay_ms`` is how long each answer waits: before anything is done, unless it is held."""

    mode: Mode = Mode.NORMAL
    delay_ms: int = 0


class Switchboard:
    """The present behaviour and the counter of requests, shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._behaviour = Behaviour()
        self._requests = 0

    @property
    def behaviour(self) -> Behaviour:
        """The present one."""
        with self._lock:
            return self._behaviour

    def switch(self, behaviour: Behaviour) -> None:
        """From now on, this one."""
        with self._lock:
            self._behaviour = behaviour

    def count(self) -> int:
        """One more request arrived; how many they are with it."""
        with self._lock:
            self._requests += 1
            return self._requests

    @property
    def requests(self) -> int:
        """Requests that arrived since the start, answered or not."""
        with self._lock:
            return self._requests
