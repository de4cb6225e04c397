"""How many connections each worker has, in memory that all of them share."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_NOBODY = 0xFFFF


class Tally:
    """Two bytes a place; a place that nobody has counts as the fullest."""

    def __init__(self, workers: int) -> None:
        # twice as many, since old and new workers live side by side for a moment when they are replaced
        self._places = 2 * workers
        self._counts = memoryview(mmap.mmap(-1, 2 * self._places)).cast("H")
        for place in range(self._places):
            self.leave(place)

    def free(self, taken: Collection[int]) -> int:
        """A place that is not taken; the last one, shared, where all are."""
        return next((place for place in range(self._places) if place not in taken), self._places - 1)

    def set(self, place: int, count: int) -> None:
        """One worker's connections."""
        self._counts[place] = min(count, _NOBODY)

    def leave(self, place: int) -> None:
        """The worker of this place has ended."""
        self._counts[place] = _NOBODY

    def fewest(self) -> int:
        """What the least busy worker has."""
        return min(self._counts)
