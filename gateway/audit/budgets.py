"""That no window of an agreement told more distinct subjects than its budget (P4), as evidence alone shows it.

Counted again as the gateway counts (docs/decisions/0031), by the moment at which the request was received. What was
tried and not disclosed leaves no subject, so this count is never above the gateway's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from contracts.loader import Operation
    from gateway.audit.evidence_schema import Exchange
    from gateway.audit.policies import Policy

# the first 16 bytes of: the ledger's hash of a subject, the digest of party and agreement; what the budget allowed, its
# window in hours, when the request was received in seconds since 1970, index of the leaf
_ROW = Struct(">16s16sIIqQ")
ROW_SIZE = _ROW.size
_STEPS = 24
_HOUR = 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The acts of which a budget counts the children: expect and merge tell of nobody.
_COUNTED = frozenset({"disclose", "attach", "read", "list", "register", "view", "tell"})

#: An agreement's window at one step: party and agreement, hours, the step's number.
_Place = tuple[bytes, int, int]


@dataclass(frozen=True, slots=True)
class BudgetRows:
    """Rows to count; ``merged`` gives for each subject of a merge the one that it is today, by 16 bytes."""

    rows: bytes = field(repr=False)
    merged: Mapping[bytes, bytes] = field(repr=False)


class Spans:
    """In which steps how many subjects begin and cease to count; as many entries as steps in which any was told."""

    def __init__(self) -> None:
        self._changes: Counter[_Place] = Counter()
        self._told: dict[_Place, tuple[int, int]] = {}
        #: Rows of subjects of a merge, under the name of the one that it is today; to be counted together.
        self.left = bytearray()

    def count(self, work: BudgetRows) -> Spans:
        """Takes rows, among them all of each of their subjects; gives itself."""
        steps: defaultdict[tuple[bytes, bytes, int], set[int]] = defaultdict(set)
        for subject, terms, most, hours, second, index in _ROW.iter_unpack(work.rows):
            if subject in work.merged:
                self.left += _ROW.pack(work.merged[subject], terms, most, hours, second, index)
                continue
            step = second // (hours * _HOUR // _STEPS)
            steps[subject, terms, hours].add(step)
            self._tell((terms, hours, step), (most, index))
        for (_, terms, hours), told in steps.items():
            for first, end in _spans(sorted(told)):
                self._changes[terms, hours, first] += 1
                self._changes[terms, hours, end] -= 1
        return self

    def add(self, other: Spans) -> None:
        """Takes up what another part counted."""
        self._changes.update(other._changes)
        for place, told in other._told.items():
            self._tell(place, told)
        self.left += other.left

    def over(self) -> Iterator[int]:
        """The leaves by which a budget was passed: in each step in which it was, the last one."""
        places = sorted(self._changes.keys() | self._told.keys())
        for _, group in groupby(places, key=lambda place: place[:2]):
            count, budgets = 0, list[tuple[int, int]]()
            for place in group:
                count += self._changes[place]
                if place not in self._told:
                    continue
                most, index = self._told[place]
                # one that was lowered meanwhile does not reach back, nor does a raise that is over
                budgets = [(step, allowed) for step, allowed in budgets if step >= place[2] - _STEPS]
                budgets.append((place[2], most))
                if count > max(allowed for _, allowed in budgets):
                    yield index

    def _tell(self, place: _Place, told: tuple[int, int]) -> None:
        most, index = self._told.get(place, told)
        self._told[place] = (max(most, told[0]), max(index, told[1]))


def budget_rows(index: int, evidence: Exchange, operation: Operation, policy: Policy) -> bytes:
    """A row for each subject that this exchange told its party of under a budget."""
    rule, agreement = operation.reduction, policy.bundle.agreements.get(evidence.agreement)
    if evidence.kind != "exchange" or rule is None or rule.act not in _COUNTED:
        return b""
    if agreement is None or agreement.budget is None:
        return b""
    budget, at = agreement.budget, evidence.received_at
    told = evidence.subjects if rule.act == "list" else evidence.subjects[:1]
    terms = sha256(f"{evidence.parties.caller}\0{evidence.agreement}".encode()).digest()[:16]
    rest = (terms, budget.at(at), budget.window_hours, (at - _EPOCH) // timedelta(seconds=1), index)
    return b"".join(_ROW.pack(short(subject.ledger), *rest) for subject in told)


def short(ledger: str) -> bytes:
    """A subject as rows name it, from the ledger's hash of it."""
    return bytes.fromhex(ledger)[:16]


def _spans(steps: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From when until when a subject counts that was told of in these steps: the first with, the last without."""
    first = end = steps[0]
    for step in steps:
        if step > end:
            yield first, end
            first = step
        end = step + _STEPS + 1
    yield first, end
