"""What one charge does to the counts of a budget: the arithmetic, apart from keys, clocks and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Tally:
    """What a charge adds to one count.

    Attributes:
        counter: 32 bytes, whose count it is.
        subjects: each by its keyed hashes: its own first, then those of the ones merged into it.
        held: so many more, of whom nothing is known yet; below 0 they are given back.
        judged: the budget is held against this count.
    """

    counter: bytes
    subjects: tuple[tuple[bytes, ...], ...] = field(repr=False)
    held: int
    judged: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """What one exchange takes: from each tally all, or from none anything.

    Attributes:
        limit: the most that a judged count may hold within the window.
        at, since, kept: as in budgets.Window.
    """

    tallies: tuple[Tally, ...]
    limit: int
    at: int
    since: int
    kept: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a charge.

    Attributes:
        spent: what the fullest of its counts holds within the window afterwards.
        counter, need: where it was refused, for which count, and for how many subjects there was no room.
    """

    allowed: bool
    spent: int
    counter: bytes = b""
    need: int = 0


class Book:
    """The counts that one transaction touches, from what it has read to what it is to write."""

    def __init__(self, known: Mapping[bytes, int], sums: Mapping[tuple[bytes, int], int]) -> None:
        """Begins with what stands in the tables.

        Args:
            known: when each subject was last counted, its step's beginning; those that never were are left out.
            sums: by counter and oldest step, what the count holds from that step on; left out where nothing.
        """
        self._known = dict(known)
        self._sums = dict(sums)
        #: Subjects to be written, with their step and until when they are kept; and those that now have another name.
        self.subjects: dict[bytes, tuple[int, int]] = {}
        self.merged: set[bytes] = set()
        #: By counter and step what its count gains or loses, and until when it is kept.
        self.gains: dict[tuple[bytes, int], tuple[int, int]] = {}

    def take(self, charge: Charge) -> Verdict:
        """Writes a charge down unless it is too much."""
        for tally in charge.tallies:
            if tally.judged:
                need, spent = self._need(tally, charge), self._spent(tally, charge)
                if need > 0 and spent + need > charge.limit:
                    return Verdict(allowed=False, spent=spent, counter=tally.counter, need=need)
        for tally in charge.tallies:
            self._gain(tally.counter, charge.at, tally.held, charge)
            for names in tally.subjects:
                self._count(tally.counter, names, charge)
        return Verdict(allowed=True, spent=max(self._spent(tally, charge) for tally in charge.tallies))

    def _need(self, tally: Tally, charge: Charge) -> int:
        fresh = {names[0] for names in tally.subjects if not self._live(names, charge)}
        return len(fresh) + tally.held

    def _spent(self, tally: Tally, charge: Charge) -> int:
        gained = sum(
            more for (counter, at), (more, _) in self.gains.items() if counter == tally.counter and at >= charge.since
        )
        return self._sums.get((tally.counter, charge.since), 0) + gained

    def _live(self, names: tuple[bytes, ...], charge: Charge) -> dict[bytes, int]:
        """Under which of its names a subject counts, and in which step."""
        return {name: self._known[name] for name in names if self._known.get(name, charge.since - 1) >= charge.since}

    def _count(self, counter: bytes, names: tuple[bytes, ...], charge: Charge) -> None:
        """Counts a subject once, in the last step in which it was disclosed, under its own name."""
        live = self._live(names, charge)
        at = max(charge.at, *live.values()) if live else charge.at
        if live == {names[0]: at}:
            return
        for step in live.values():
            self._gain(counter, step, -1, charge)
        self._gain(counter, at, 1, charge)
        for name in live.keys() - {names[0]}:
            self.merged.add(name)
            self.subjects.pop(name, None)
            del self._known[name]
        self._known[names[0]] = at
        self.merged.discard(names[0])
        self.subjects[names[0]] = (at, at + charge.kept)

    def _gain(self, counter: bytes, at: int, more: int, charge: Charge) -> None:
        if more:
            before, _ = self.gains.get((counter, at), (0, 0))
            self.gains[counter, at] = (before + more, at + charge.kept)
