"""The subjects that an exchange names: as many as its act allows, and nobody survives one that it became (N3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from gateway.audit.verdict import Fault, Problem
from gateway.errors import Code

if TYPE_CHECKING:
    from contracts.loader import Operation
    from gateway.audit.evidence_schema import Exchange
    from gateway.audit.traces import Traces

#: How many subjects an act names at most: at a birth the child, the one expected and the one whom it is merged with; at
#: a merge the two that were asked and what each of them had become.
_MOST = {"disclose": 1, "expect": 1, "attach": 4, "merge": 4, "read": 1, "register": 1, "view": 1, "tell": 1}
#: Those whose exchange always names one.
_ALWAYS = frozenset({"expect", "merge", "read", "register", "view", "tell"})
#: What only such an operation is refused with, and whether the upstream had answered by then.
_REFUSED: dict[str, tuple[frozenset[str], bool]] = {
    Code.HANDLE_UNKNOWN: (frozenset({"attach", "merge", "read", "register", "view", "tell"}), False),
    Code.NOT_REGISTERED: (frozenset({"read"}), False),
    Code.ALREADY_REGISTERED: (frozenset({"register"}), True),
    Code.STATE_CHANGED: (frozenset({"read"}), True),
    Code.SEARCH_TOO_WIDE: (frozenset({"list"}), True),
    Code.MERGE_NEEDED: (frozenset({"attach"}), True),
    Code.MERGE_REFUSED: (frozenset({"merge"}), False),
    Code.SUBJECTS_CHANGED: (
        frozenset({"expect", "attach", "merge", "read", "register", "list", "view", "tell"}),
        False,
    ),
    Code.NOT_DELIVERABLE: (frozenset({"tell"}), False),
}
SUBJECT_REFUSALS = frozenset(_REFUSED)
_ANSWERED = "answered"


def check_subjects(evidence: Exchange, operation: Operation, traces: Traces) -> None:
    """Returns if these subjects may stand in such an exchange, or its refusal; raises Problem (subjects_differ)."""
    act = None if operation.reduction is None else operation.reduction.act
    if evidence.kind == "refusal":
        _check_refusal(evidence, act)
        return
    subjects = evidence.subjects
    most = _most_listed(operation) if act == "list" else _MOST.get(act or "", 0)
    if len(subjects) > most or (act in _ALWAYS and not subjects):
        raise Problem(Fault.SUBJECTS_DIFFER, "more subjects than the operation names, or none")
    if [subject.role for subject in subjects] != _roles(len(subjects), listed=act == "list"):
        raise Problem(Fault.SUBJECTS_DIFFER, "roles that no merge gives")
    if len({subject.ledger for subject in subjects}) != len(subjects):
        raise Problem(Fault.SUBJECTS_DIFFER, "a subject named twice")
    if act == "tell":
        traces.notice(UUID(evidence.exchange_id), subjects[0].ledger)
    if len(subjects) > 1 and act != "list":
        traces.merged(tuple(subject.ledger for subject in subjects))


def _most_listed(operation: Operation) -> int:
    """The contract's hard cap on what one answer lists."""
    rule = operation.reduction
    listed = None if rule is None else operation.response["properties"].get(rule.listed)
    return 0 if listed is None else int(listed["maxItems"])


class Merges:
    """Which subjects became which, over one log; as many as were merged, which are few."""

    def __init__(self) -> None:
        self._became: dict[str, set[str]] = {}

    def take(self, subjects: tuple[str, ...]) -> None:
        """The next merge of the log: the first survives the others; raises Problem (subjects_differ)."""
        survivor = subjects[0]
        for merged in subjects[1:]:
            if merged in self._reached(survivor):
                raise Problem(Fault.SUBJECTS_DIFFER, "a subject survives one that it had become")
            self._became.setdefault(merged, set()).add(survivor)

    def today(self) -> dict[str, str]:
        """Whoever is of a merge, by one name for all who are one child by now."""
        above: dict[str, str] = {}

        def top(name: str) -> str:
            while (next_one := above.get(name, name)) != name:
                above[name] = above.get(next_one, next_one)  # half as far the next time
                name = next_one
            return name

        for merged, survivors in self._became.items():
            for survivor in survivors:
                one, other = top(merged), top(survivor)
                if one != other:
                    above[one] = other
        return {name: top(name) for name in (*self._became, *(each for all_ in self._became.values() for each in all_))}

    def _reached(self, ledger: str) -> set[str]:
        reached, ahead = set[str](), [ledger]
        while ahead:
            if (name := ahead.pop()) not in reached:
                reached.add(name)
                ahead += self._became.get(name, ())
        return reached


def _roles(count: int, *, listed: bool) -> list[str | None]:
    return [None] * count if count <= 1 or listed else ["survivor", *["merged"] * (count - 1)]


def _check_refusal(evidence: Exchange, act: str | None) -> None:
    if evidence.outcome not in SUBJECT_REFUSALS:
        return
    acts, answered = _REFUSED[evidence.outcome]
    if act not in acts or (answered and (not evidence.upstream or evidence.upstream[-1].outcome != _ANSWERED)):
        raise Problem(Fault.SUBJECTS_DIFFER, "refused for its subjects, and has none")
