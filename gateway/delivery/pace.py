"""When a notice, or a party, is tried again: later each time, and never all at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Randomness

_JITTER_BYTES = 4
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits in seconds: the first, and the longest; between them each is twice the one before.

    Half of each wait is chance, so that what failed together does not come back together.
    """

    first: float
    longest: float

    def wait(self, failures: int, randomness: Randomness) -> timedelta:
        """How long to wait after so many failures in a row, one at least."""
        whole = min(self.first * 2 ** min(failures - 1, _MOST_DOUBLINGS), self.longest)
        chance = int.from_bytes(randomness.bytes(_JITTER_BYTES)) / 256**_JITTER_BYTES
        return timedelta(seconds=whole * (0.5 + chance / 2))
