"""When a notice, or a party, is tried again: later each time, and never all at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, wait_combine, wait_exponential

if TYPE_CHECKING:
    from gateway.ports import Randomness

_CHANCE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits in seconds: the first, and the longest; between them each is twice the one before.

    Half of each wait is chance, so that what failed together does not come back together. The waits are tenacity's;
    its loop is not used, since what failed may be tried again by another process, days later: the outbox counts.
    """

    first: float
    longest: float

    def wait(self, failures: int, randomness: Randomness) -> timedelta:
        """How long to wait after so many failures in a row, one at least."""
        half = wait_exponential(multiplier=self.first / 2, max=self.longest / 2)

        def chance(state: RetryCallState) -> float:
            # tenacity's own jitter draws from the process's global generator
            return half(state) * int.from_bytes(randomness.bytes(_CHANCE_BYTES)) / (1 << 8 * _CHANCE_BYTES)

        return timedelta(seconds=wait_combine(half, chance)(_after(failures)))


def _after(failures: int) -> RetryCallState:
    """Where tenacity's own loop would stand after so many failures."""
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = failures
    return state
