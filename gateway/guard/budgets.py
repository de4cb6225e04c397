"""Steps 5 and 7: of how many distinct subjects a party may learn under an agreement in a window (P4, N4).

The window slides in steps of its twenty-fourth: whoever was disclosed counts until a whole window has passed since the
last time, so that no interval of a window's length holds more than the budget (docs/decisions/0031).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, PasserelleError, Refusal
from gateway.guard.book import Charge, Tally, Verdict
from gateway.guard.claims import length_prefixed
from gateway.model import Nirec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gateway.model import Allowance, DisclosedSubject, Grant, Reduction
    from gateway.ports import Keystore

STEPS = 24
_HOUR = 3600
#: What is counted: numbers as they are tried with a name and a birth date, and what is searched for; subjects that are
#: disclosed.
TRIES, SUBJECTS = "tries", "subjects"

#: The acts that are about the child of a handle; the audit counts the same.
_BY_HANDLE = frozenset({"read", "register", "view", "tell"})

#: Each subject by all its names: its own first, then those of the ones merged into it, so that they cost once.
_Named = tuple[tuple[str, ...], ...]


class BudgetStore(Protocol):
    """Where counts are kept, for all workers and nodes."""

    def charge(self, charge: Charge) -> Verdict:
        """Takes all of the charge, or nothing of it; seen by everybody when it returns."""
        ...

    def steps(self, counter: bytes, since: int) -> Sequence[tuple[int, int]]:
        """What a count holds by step, from that step on, oldest first: (seconds since 1970, subjects)."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window as one moment sees it; all in seconds, steps counted since 1970.

    Attributes:
        at: when the present step began.
        since: the oldest step that counts still.
        kept: for so long after its beginning a step counts.
    """

    at: int
    since: int
    kept: int

    @classmethod
    def of(cls, window_hours: int, moment: datetime) -> Window:
        """The window that ends at this moment."""
        length = window_hours * _HOUR
        step = length // STEPS
        at = int(moment.timestamp()) // step * step
        return cls(at, at - length, length + step)


class BudgetGuard:
    """ports.Budgets. What is stored of a party, a number, a name or a subject is a keyed hash, never itself.

    After the key was rotated all is counted under both for a whole window. The older one decides: it has counted
    everything, whatever a worker has heard of the newer one.
    """

    def __init__(
        self,
        store: BudgetStore,
        keystore: Keystore,
        keys: Callable[[timedelta], Sequence[str]],
        told: Callable[[str, float], None] = lambda _agreement, _share: None,
    ) -> None:
        """``keys`` names the key in use, and behind it those that were in use less than so long ago.

        ``told`` hears of each agreement what share of its budget is spent, 0 to 1; above 1 where that was refused.
        """
        self._store = store
        self._keystore = keystore
        self._keys = keys
        self._told = told
        self._counters: dict[tuple[str, str, str, str], bytes] = {}

    def reserve(self, grant: Grant, known: Sequence[Sequence[str]]) -> Grant:
        """The grant, what it can cost spent; raises Refusal (budget_spent, with what time to come back).

        Whom it is about is known beforehand of a number and of a handle, and counted whatever comes of it (N4); of a
        list the most that it can give is held until ``settle``. Whoever counts already costs nothing more.
        """
        rule, budget = grant.message.reduction, grant.budget
        if rule is None or budget is None:
            return grant
        cost = {**_known_cost(grant, rule, known), **_searched_for(grant, rule)}
        held = _most_listed(grant, rule)
        if not (cost or held):
            return grant
        window = _window(grant, budget)
        charge = self._charge(grant, budget, window, {SUBJECTS: (), **cost} if held else cost, held)
        verdict = self._store.charge(charge)
        self._told(grant.agreement, (verdict.spent + verdict.need) / budget.subjects)
        if not verdict.allowed:
            # whoever spends it is held once parties can be (DESIGN P4); until then the alarm tells a person
            raise Refusal(Code.BUDGET_SPENT, retry_after=self._free_in(grant, budget, window, verdict))
        return replace(grant, reserved=held) if held else grant

    def settle(self, grant: Grant, subjects: Sequence[DisclosedSubject]) -> Grant:
        """The grant without what it held: spent is what was disclosed, which is nothing where it was refused."""
        if not grant.reserved or grant.budget is None:
            return grant
        named = tuple((one.ledger, *one.formerly) for one in subjects)
        window = _window(grant, grant.budget)
        charge = self._charge(grant, grant.budget, window, {SUBJECTS: named}, -grant.reserved)
        verdict = self._store.charge(charge)
        self._told(grant.agreement, verdict.spent / grant.budget.subjects)
        return replace(grant, reserved=0)

    def _charge(self, grant: Grant, budget: Allowance, window: Window, cost: Mapping[str, _Named], held: int) -> Charge:
        keys = self._keys(timedelta(seconds=window.kept))
        tallies = tuple(
            Tally(
                counter=self._counter(key, grant, kind),
                subjects=tuple(tuple(self._mac(key, grant, kind, name) for name in names) for names in subjects),
                held=held if kind == SUBJECTS else 0,
                judged=key == keys[-1] and held >= 0,
            )
            for key in keys
            for kind, subjects in cost.items()
        )
        return Charge(tallies, budget.subjects, window.at, window.since, window.kept)

    def _counter(self, key: str, grant: Grant, kind: str) -> bytes:
        # few, and asked for in each exchange: a keystore may be far
        party = grant.message.request.party.name
        name = (key, party, grant.agreement, kind)
        if name not in self._counters:
            self._counters[name] = self._mac(key, grant, kind)
        return self._counters[name]

    def _mac(self, key: str, grant: Grant, kind: str, *name: str) -> bytes:
        party = grant.message.request.party.name
        return self._keystore.mac(key, length_prefixed("budget", party, grant.agreement, kind, *name))

    def _free_in(self, grant: Grant, budget: Allowance, window: Window, verdict: Verdict) -> int:
        """In how many seconds enough will have left the window; a whole one where it can never be enough."""
        left = verdict.spent
        for at, spent in self._store.steps(verdict.counter, window.since):
            left -= spent
            if left + verdict.need <= budget.subjects:
                return max(1, at + window.kept - int(grant.message.request.received.at.timestamp()))
        return window.kept


def _window(grant: Grant, budget: Allowance) -> Window:
    # by the moment that evidence names: whoever counts there again counts alike
    return Window.of(budget.window_hours, grant.message.request.received.at)


def _known_cost(grant: Grant, rule: Reduction, known: Sequence[Sequence[str]]) -> Mapping[str, _Named]:
    """Whom an exchange is about, as far as that is known before anybody is asked."""
    if rule.act in _BY_HANDLE:
        return {SUBJECTS: tuple(tuple(names) for names in known)}
    if rule.identifier is None:
        return {}
    fields = grant.message.fields
    number = fields[rule.identifier]
    if not isinstance(number, Nirec):
        raise PasserelleError("the contract's identifier is no NIREC")
    # Together: each distinct number, and each distinct name and birth date, makes another try. Apart, a budget of a
    # hundred would let a hundred names be tried on each of a hundred numbers.
    tried = json.dumps([number.reveal(), *(fields.get(name) for name in rule.tried)], ensure_ascii=False)
    return {TRIES: ((tried,),)}


def _searched_for(grant: Grant, rule: Reduction) -> Mapping[str, _Named]:
    """What a list is searched by: a search that finds nobody tells too that nobody of that name is there (N4)."""
    if rule.act != "list":
        return {}
    return {TRIES: ((json.dumps([grant.message.fields.get(name) for name in rule.tried], ensure_ascii=False),),)}


def _most_listed(grant: Grant, rule: Reduction) -> int:
    return rule.most if rule.listed in grant.fields else 0
