"""What was found and counted in one stretch of a log; stretches are put together in the log's order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gateway.audit.verdict import Finding, Unproven

if TYPE_CHECKING:
    from gateway.audit.verdict import Problem


class Tally:
    """Findings and counts of some leaves; small, and goes from one process to another."""

    def __init__(self) -> None:
        self.unproven: set[Unproven] = set()
        self.sealed = 0
        self.before = 0
        self._findings: list[Finding] = []
        self._exchanges: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._unopened: Counter[str] = Counter()

    @property
    def problems(self) -> int:
        """How many findings there are."""
        return len(self._findings)

    def problem(
        self, problem: Problem, *, file: str = "", index: int | None = None, exchange_id: str | None = None
    ) -> None:
        """Notes what a check found; ``file`` is where it looked, unless the problem itself says."""
        self._findings.append(Finding(problem.fault, problem.file or file, exchange_id, index, problem.detail))

    def exchange(self, party: str) -> None:
        """Counts an exchange that was answered."""
        self._exchanges[party] += 1

    def refusal(self, party: str | None, code: str) -> None:
        """Counts a refusal."""
        self._refused[party or ""] += 1
        self._refusals[code] += 1

    def unopened(self, kind: str) -> None:
        """Counts a leaf whose evidence stays sealed: its kind is all that is known of it."""
        self.sealed += 1
        self._unopened[kind] += 1
        self.unproven.add(Unproven.EVIDENCE_SEALED)

    def earlier(self, kind: str) -> None:
        """Counts a leaf whose evidence an earlier audit opened, and this one does not."""
        self.before += 1
        self._unopened[kind] += 1
        self.unproven.add(Unproven.BEFORE_SINCE)

    def add(self, other: Tally) -> None:
        """Takes up what another stretch gave."""
        self.unproven |= other.unproven
        self.sealed += other.sealed
        self.before += other.before
        self._findings += other._findings
        for name in ("_exchanges", "_refused", "_refusals", "_unopened"):
            getattr(self, name).update(getattr(other, name))
