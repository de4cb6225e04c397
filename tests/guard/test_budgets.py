"""Of how many distinct subjects a party may learn (P4, N4): exact for all workers, on both databases."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import Code, Refusal
from gateway.guard.budgets import STEPS, BudgetGuard, Window
from gateway.guard.storage import DatabaseBudgets
from gateway.model import Allowance, DisclosedSubject, Grant, Nirec, Reduction
from gateway.storage import Database, open_database
from tests.adapters.fakes import ShiftedClock
from tests.guard.test_claims import message
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERIFY = Reduction("nirec", "handle", "outcome", "confirmed", (), tried=("birth_date", "family_name"))
READ = Reduction(None, "handle", None, None, (), act="read", given=("handle",))
LIST = Reduction(
    None, "handle", None, None, (), act="list", listed="hits", most=10, tried=("birth_date", "family_name")
)
REGISTER, VIEW, TELL = replace(READ, act="register"), replace(READ, act="view"), replace(READ, act="tell")
EXPECT = Reduction(None, "handle", None, None, (), act="expect")
THREE_A_DAY = Allowance(3, 24)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Keys:
    """Which keys are in use, the newest first; as gateway.keys.generations tells it."""

    names: list[str] = field(default_factory=lambda: ["claims"])
    overlaps: list[timedelta] = field(default_factory=list)

    def __call__(self, overlap: timedelta) -> list[str]:
        self.overlaps.append(overlap)
        return list(self.names)


@dataclass
class Counter:
    """One worker: a guard of its own over a database that it shares."""

    database: Database
    keys: Keys = field(default_factory=Keys)
    told: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = DatabaseBudgets(self.database, ShiftedClock())
        self.guard = BudgetGuard(self.store, MacKeys(), self.keys, lambda *said: self.told.append(said))

    def verify(self, number: str, person: str = "Tremblay", **more: Any) -> Code | None:
        return self.refused(granted(VERIFY, {"nirec": Nirec(number), "family_name": person}, **more))

    def read(self, *names: str, **more: Any) -> Code | None:
        return self.refused(granted(READ, {"handle": "h"}, **more), [names])

    def refused(self, grant: Grant, known: Sequence[Sequence[str]] = ()) -> Code | None:
        try:
            self.guard.reserve(grant, known)
        except Refusal as refusal:
            return refusal.code
        return None

    def searched(self, *found: DisclosedSubject | str, **more: Any) -> Grant:
        """A search that finds these, from beginning to end."""
        grant = self.guard.reserve(granted(LIST, {}, **more), ())
        return self.guard.settle(grant, [one if isinstance(one, DisclosedSubject) else child(one) for one in found])


def child(name: str, *formerly: str) -> DisclosedSubject:
    return DisclosedSubject(name, f"handle of {name}", formerly=formerly)


def granted(
    rule: Reduction,
    fields: dict[str, object],
    *,
    budget: Allowance | None = THREE_A_DAY,
    party: str = "ministry",
    agreement: str = "ENT-1",
    at: datetime = NOON,
    names: frozenset[str] = frozenset({"hits", "outcome"}),
) -> Grant:
    made = message(ShiftedClock(), "n", party=party)
    request = replace(made.request, received=replace(made.request.received, at=at))
    asked = replace(made, request=request, fields=fields, reduction=rule)
    return Grant(asked, agreement, "p", names, tells_not_found=False, policy_sha256="00", budget=budget)


@pytest.fixture
def database(any_url: str) -> Iterator[Database]:
    made = open_database(any_url, durable=False)
    yield made
    made.dispose()


@pytest.fixture
def worker(database: Database) -> Counter:
    return Counter(database)


SPENT = Code.BUDGET_SPENT


def test_each_number_tried_counts_whatever_the_outcome(worker: Counter) -> None:
    """N4: nothing is told here of what the registry says, and a refused exchange is not given back."""
    assert [worker.verify(str(number)) for number in range(5)] == [None, None, None, SPENT, SPENT]


def test_each_name_and_birth_date_tried_counts_too(worker: Counter) -> None:
    tried = [worker.verify("1", person) for person in ("Roy", "Côté", "Roy", "Gagnon", "Bouchard", "Côté")]
    assert tried == [None, None, None, None, SPENT, None]


def test_names_are_not_tried_on_each_number_for_nothing(worker: Counter) -> None:
    """Two counts apart would let nine pairs be tried with a budget of three."""
    tried = [worker.verify(number, person) for number in "123" for person in ("Roy", "Côté", "Gagnon")]
    assert tried == [None] * 3 + [SPENT] * 6


def test_what_was_counted_costs_nothing_more_even_when_all_is_spent(worker: Counter) -> None:
    for number in "123":
        worker.verify(number)
    assert [worker.verify(number) for number in "1239"] == [None, None, None, SPENT]


def test_a_budget_is_of_one_party_and_one_agreement(worker: Counter) -> None:
    for number in "123":
        worker.verify(number)
    assert worker.verify("4", party="cooperative") is None
    assert worker.verify("4", agreement="ENT-2") is None
    assert worker.verify("4") is SPENT


def test_an_operation_without_subjects_and_an_agreement_without_a_budget_cost_nothing(worker: Counter) -> None:
    assert [worker.refused(granted(EXPECT, {})) for _ in range(5)] == [None] * 5
    assert [worker.verify(str(number), budget=None) for number in range(5)] == [None] * 5
    assert worker.database.read_once("SELECT count(*) FROM budget_counts", ())[0][0] == 0


def test_a_child_and_those_merged_into_it_are_one(worker: Counter) -> None:
    small = Allowance(2, 24)
    assert [worker.read(name, budget=small) for name in ("a", "b", "c")] == [None, None, SPENT]
    # b, then a, turn out to be d: what was spent on both is spent once, under its name
    assert worker.read("d", "b", budget=small) is None
    assert worker.read("c", budget=small) is SPENT
    assert worker.read("d", "a", "b", budget=small) is None
    assert [worker.read(name, budget=small) for name in ("d", "c", "e")] == [None, None, SPENT]


def test_a_search_holds_the_most_that_it_can_give_and_costs_what_it_gave(worker: Counter) -> None:
    budget = Allowance(12, 24)
    first = worker.guard.reserve(granted(LIST, {}, budget=budget), ())
    assert first.reserved == 10
    assert worker.refused(granted(LIST, {}, budget=budget)) is SPENT  # twelve, of which ten are held
    assert worker.guard.settle(first, [child("a"), child("b"), child("a")]).reserved == 0
    worker.searched("b", budget=budget)
    assert worker.refused(granted(LIST, {}, budget=budget)) is None  # two are spent, ten held again
    assert worker.told[-1] == ("ENT-1", 1.0)


def test_a_crash_between_the_two_leaves_it_spent(database: Database) -> None:
    budget = Allowance(12, 24)
    Counter(database).guard.reserve(granted(LIST, {}, budget=budget), ())
    after = Counter(database)  # a worker that was started in its place, and knows nothing of it
    assert after.refused(granted(LIST, {}, budget=budget)) is SPENT
    assert after.refused(granted(LIST, {}, budget=budget, at=NOON + timedelta(hours=25))) is None


def test_a_listing_by_patient_searches_ends_at_the_budget(worker: Counter) -> None:
    """2021: a whole list in small parts. Each search finds three others; the last ones are refused."""
    told: set[str] = set()
    refused = 0
    for number in range(40):
        found = [f"child {number * 3 + more}" for more in range(3)]
        try:
            worker.searched(*found, budget=Allowance(50, 24), at=NOON + timedelta(minutes=10 * number))
        except Refusal as refusal:
            assert refusal.code is SPENT  # noqa: PT017  whatever else it were would be a fault
            refused += 1
        else:
            told.update(found)
    assert (len(told), refused) == (42, 26)  # 42 and the ten that a search holds are more than 50


def test_no_interval_of_the_windows_length_holds_more_than_the_budget(database: Database) -> None:
    """Nor at an edge, where a window that begins anew lets twice the budget through (docs/decisions/0031)."""
    worker, hours, most = Counter(database), 6, 4
    # a day in uneven steps; each three hours twelve other children, in no order: 7 and 12 have no divisor in common
    asked = [(NOON + timedelta(seconds=288 * n + n * n % 281), f"child {n // 40} {n * 7 % 12}") for n in range(300)]
    granted_at = [(at, name) for at, name in asked if worker.read(name, budget=Allowance(most, hours), at=at) is None]
    fullest = max(
        len({name for at, name in granted_at if begin <= at <= begin + timedelta(hours=hours)})
        for begin, _ in granted_at
    )
    assert fullest == most


def test_the_caller_is_told_when_enough_comes_free(worker: Counter) -> None:
    for number, at in (("1", NOON), ("2", NOON + timedelta(hours=3)), ("3", NOON + timedelta(hours=3))):
        assert worker.verify(number, number, at=at) is None
    late = NOON + timedelta(hours=20)
    with pytest.raises(Refusal) as refused:
        worker.guard.reserve(granted(VERIFY, {"nirec": Nirec("4"), "family_name": "4"}, at=late), ())
    assert refused.value.retry_after == 5 * 3600
    assert worker.verify("4", "4", at=late + timedelta(seconds=5 * 3600 - 1)) is SPENT
    assert worker.verify("4", "4", at=late + timedelta(seconds=5 * 3600)) is None


def test_what_can_never_be_enough_says_a_whole_window(worker: Counter) -> None:
    with pytest.raises(Refusal) as refused:
        worker.guard.reserve(granted(LIST, {}, budget=Allowance(9, 24)), ())
    assert refused.value.retry_after == 25 * 3600


def test_a_step_is_the_windows_twenty_fourth() -> None:
    window = Window.of(24, NOON + timedelta(minutes=59, seconds=59))
    assert (window.at, window.since) == (NOON.timestamp(), (NOON - timedelta(hours=24)).timestamp())
    assert (window.kept, STEPS) == (25 * 3600, 24)
    assert Window.of(1, NOON).at - Window.of(1, NOON - timedelta(seconds=1)).at == 150


def test_of_many_threads_and_two_workers_exactly_as_many_pass(any_url: str) -> None:
    opened = [open_database(any_url, durable=False) for _ in range(2)]
    workers = [Counter(database) for database in opened]
    budget = Allowance(25, 24)
    with ThreadPoolExecutor(16) as pool:
        codes = list(
            pool.map(lambda n: workers[n % 2].read(f"child {n // 3}", budget=budget), range(120))
        )  # each child thrice, by both
    passed = {n // 3 for n, code in enumerate(codes) if code is None}
    assert len(passed) == 25
    assert set(codes) == {None, SPENT}
    assert [workers[0].read(f"child {n}", budget=budget) is None for n in range(40)] == [n in passed for n in range(40)]
    for database in opened:
        database.dispose()


def test_searches_that_race_hold_and_give_back_exactly(any_url: str) -> None:
    opened = [open_database(any_url, durable=False) for _ in range(2)]
    workers = [Counter(database) for database in opened]
    budget = Allowance(1000, 24)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: workers[n % 2].searched(f"a{n % 7}", f"b{n % 5}", budget=budget), range(60)))
    assert workers[1].told[-1][1] <= 1
    assert workers[0].read("another", budget=budget) is None
    assert workers[0].told[-1] == ("ENT-1", 13 / 1000)
    for database in opened:
        database.dispose()


def test_after_its_key_was_rotated_a_count_goes_on_and_no_worker_counts_apart(database: Database) -> None:
    aware, unaware = Counter(database), Counter(database)
    assert [aware.verify("1", "1"), unaware.verify("2", "2")] == [None, None]
    aware.keys.names = ["claims-1", "claims"]
    assert aware.verify("1", "1") is None
    assert unaware.verify("3", "3") is None  # a second later it will have heard
    assert [aware.verify(number, number) for number in "1423"] == [None, SPENT, None, None]
    unaware.keys.names = ["claims-1", "claims"]
    assert unaware.verify("4", "4") is SPENT
    # a whole window and its last step later the former key is not asked any more; its rows count no more either
    assert set(aware.keys.overlaps) == {timedelta(hours=25)}
    later = NOON + timedelta(hours=24)
    for counter in (aware, unaware):
        counter.keys.names = ["claims-1"]
    assert [aware.verify(number, number, at=later) for number in "1245"] == [None, None, SPENT, SPENT]


def test_nothing_that_is_kept_names_anybody(worker: Counter) -> None:
    worker.verify("1234567890123", "Tremblay")
    worker.read("0123456789abcdef")
    with worker.database.reading() as connection:
        rows = [
            *connection.exec_driver_sql("SELECT key FROM budget_subjects").all(),
            *connection.exec_driver_sql("SELECT counter FROM budget_counts").all(),
        ]
    assert len(rows) == 4
    assert all(len(key) == 32 for (key,) in rows)
    kept = json.dumps([bytes(key).hex() for (key,) in rows])
    assert not any(
        text.encode().hex() in kept for text in ("123456", "Tremblay", "ministry", "ENT-1", "0123456789abcd")
    )


def test_upkeep_forgets_what_no_window_needs_and_nothing_before(database: Database) -> None:
    clock = ShiftedClock()
    worker, store = Counter(database), DatabaseBudgets(database, clock)
    now = clock.now()
    assert worker.verify("1", at=now) is None
    for shift, left in ((timedelta(hours=24), 1), (timedelta(hours=27), 0)):
        clock.shift = shift
        store.expire()
        for table in ("budget_subjects", "budget_counts"):
            assert database.read_once(f"SELECT count(*) FROM {table}", ())[0][0] == left  # noqa: S608  its two names


def test_an_operator_hears_how_much_is_spent_and_what_was_refused(worker: Counter) -> None:
    for number in "1234":
        worker.verify(number)
    assert [(agreement, round(3 * share)) for agreement, share in worker.told] == [("ENT-1", n) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("names", [frozenset({"outcome"}), frozenset({"hits", "outcome"})], ids=["outcome", "hits"])
def test_what_is_searched_for_is_counted_though_nobody_is_found(database: Database, names: frozenset[str]) -> None:
    budget, counter = Allowance(12, 24), Counter(database)

    def search(name: str) -> Code | None:
        grant = granted(LIST, {"family_name": name}, budget=budget, names=names)
        try:
            counter.guard.settle(counter.guard.reserve(grant, ()), ())
        except Refusal as refusal:
            return refusal.code
        return None

    assert [search(f"name {number}") for number in range(13)] == [None] * 12 + [SPENT]
    # whoever asks again asks for nothing new, and of children none is spent
    assert search("name 0") is None
    assert counter.read("a child", budget=budget) is None


@pytest.mark.parametrize("rule", [READ, REGISTER, VIEW, TELL])
def test_an_act_about_the_child_of_a_handle_is_counted(database: Database, rule: Reduction) -> None:
    counter = Counter(database)
    said = [counter.refused(granted(rule, {"handle": "h"}), [[f"child {number % 4}"]]) for number in range(8)]
    assert said == [None, None, None, Code.BUDGET_SPENT] * 2
