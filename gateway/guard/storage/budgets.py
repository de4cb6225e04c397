"""Budgets in the database: one count for all workers and nodes, exact because nobody else counts meanwhile (P4).

A charge is committed before anybody is asked, without a sync of its own: the record's durable commit flushes it, since
both go through one write-ahead log (L4). So whatever was disclosed and recorded is counted, and what a crash
interrupts stays spent. A power loss can only forget charges whose exchange was never recorded.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from gateway.guard.book import Book, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.guard.book import Charge
    from gateway.ports import Clock
    from gateway.storage import Database, Execute

_KNOWN = "SELECT key, step FROM budget_subjects WHERE key IN ({})"
_SUMS = "SELECT counter, SUM(spent) FROM budget_counts WHERE counter IN ({}) AND step >= ? GROUP BY counter"
_STEPS = "SELECT step, spent FROM budget_counts WHERE counter = ? AND step >= ? ORDER BY step"
_MERGED = "DELETE FROM budget_subjects WHERE key IN ({})"
_SUBJECTS = (
    "INSERT INTO budget_subjects (key, step, expires) VALUES {}"
    " ON CONFLICT (key) DO UPDATE SET step = excluded.step, expires = excluded.expires"
)
_COUNTS = (
    "INSERT INTO budget_counts (counter, step, spent, expires) VALUES {}"
    " ON CONFLICT (counter, step) DO UPDATE SET spent = budget_counts.spent + excluded.spent,"
    " expires = excluded.expires"
)
_GRACE = timedelta(hours=1)


class _Pending:
    """One exchange's charge, and afterwards what came of it."""

    __slots__ = ("charge", "verdict")

    def __init__(self, charge: Charge) -> None:
        self.charge = charge
        self.verdict = Verdict(allowed=False, spent=0)


class DatabaseBudgets:
    """guard.budgets.BudgetStore over a Database with ``durable=False``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._group = database.group(self._write, eager=True)

    def charge(self, charge: Charge) -> Verdict:
        """Takes all of the charge, or nothing of it."""
        pending = _Pending(charge)
        self._group.commit(pending)
        return pending.verdict

    def steps(self, counter: bytes, since: int) -> list[tuple[int, int]]:
        """What a count holds by step, from that step on, oldest first."""
        return [(int(step), int(spent)) for step, spent in self._database.read_once(_STEPS, (counter, since))]

    def expire(self) -> None:
        """Forgets what no window needs any more."""
        # an hour's grace: a clock that was set forward and back again must not free what was spent
        now = int((self._clock.now().astimezone(UTC) - _GRACE).timestamp())
        with self._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM budget_subjects WHERE expires < ?", (now,))
            connection.exec_driver_sql("DELETE FROM budget_counts WHERE expires < ?", (now,))

    def _write(self, batch: Sequence[_Pending]) -> Sequence[Exception | None]:
        charges = [pending.charge for pending in batch]
        counters = sorted({tally.counter for charge in charges for tally in charge.tallies})
        verdicts = self._database.write_steps(lambda execute: _taken(execute, charges), alone=counters)
        for pending, verdict in zip(batch, verdicts, strict=True):
            pending.verdict = verdict
        return [None] * len(batch)


def _taken(execute: Execute, charges: Sequence[Charge]) -> list[Verdict]:
    """The charges one after the other, read and written as one."""
    book = Book(_known(execute, charges), _sums(execute, charges))
    verdicts = [book.take(charge) for charge in charges]
    if book.merged:
        execute(_MERGED.format(_marks(book.merged)), tuple(book.merged))
    if book.subjects:
        rows = [value for key, row in book.subjects.items() for value in (key, *row)]
        execute(_SUBJECTS.format(_rows(len(book.subjects), "(?,?,?)")), rows)
    if gains := {where: gain for where, gain in book.gains.items() if gain[0]}:
        rows = [value for where, gain in gains.items() for value in (*where, *gain)]
        execute(_COUNTS.format(_rows(len(gains), "(?,?,?,?)")), rows)
    return verdicts


def _known(execute: Execute, charges: Sequence[Charge]) -> dict[bytes, int]:
    subjects = (subject for charge in charges for tally in charge.tallies for subject in tally.subjects)
    keys = {key for subject in subjects for key in subject}
    if not keys:
        return {}
    return {bytes(key): step for key, step in execute(_KNOWN.format(_marks(keys)), tuple(keys))}


def _sums(execute: Execute, charges: Sequence[Charge]) -> dict[tuple[bytes, int], int]:
    """By oldest step: as many statements as there are kinds of window in the batch, mostly one."""
    counters: dict[int, set[bytes]] = {}
    for charge in charges:
        counters.setdefault(charge.since, set()).update(tally.counter for tally in charge.tallies)
    sums = {}
    for since, wanted in counters.items():
        for counter, spent in execute(_SUMS.format(_marks(wanted)), (*wanted, since)):
            sums[bytes(counter), since] = int(spent)
    return sums


def _marks(values: set[bytes]) -> str:
    return ",".join("?" * len(values))


def _rows(count: int, row: str) -> str:
    return ",".join([row] * count)
