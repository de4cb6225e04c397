"""How many wait, by each definition: as somebody would count by hand, for ever the same, and no few children in it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from adapters.cooperative.sandbox.answering import answered
from adapters.cooperative.sandbox.changing import Registrar
from adapters.cooperative.sandbox.counts import counts, last_month_end
from adapters.cooperative.sandbox.counts_storage import months_after
from adapters.cooperative.sandbox.suppression import LEAST, Row, division, together
from adapters.sandboxing.messages import Call
from gateway.errors import Code, Refusal
from tests.adapters.test_registrations import made, registry, url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from adapters.cooperative.sandbox.registrations import Registration
    from adapters.cooperative.sandbox.storage import Registry

__all__ = ["made", "registry", "url"]
NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
DAY = date(2026, 10, 31)
DEFINITIONS = ("all", "without_service", "holding_non_subsidised", "unborn")
BREAKDOWNS = ("by_region", "by_age", "by_desired_date")


def born(one: Registration, day: date) -> bool:
    return one.child.birth_date is not None and one.child.birth_date <= day


def age(one: Registration, day: date) -> str:
    if not born(one, day):
        return "unborn"
    birth = one.child.birth_date
    assert birth is not None
    years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    return "under_1" if years < 1 else "age_4_and_over" if years >= 4 else f"age_{years}"


def desired(one: Registration, day: date) -> str:
    later = [months_after(day, months) for months in (0, 6, 12)]
    place = sum(one.desired_on > limit for limit in later)
    return ("by_now", "within_6_months", "within_12_months", "later")[place]


def by_hand(there: Sequence[Registration], day: date) -> dict[str, int]:
    return {
        "all": len(there),
        "without_service": sum(one.held == "none" for one in there),
        "holding_non_subsidised": sum(one.held == "non_subsidised_daycare" for one in there),
        "unborn": sum(not born(one, day) for one in there),
    }


def rows_of(answer: Mapping[str, Any], name: str) -> dict[tuple[str, ...], dict[str, int]]:
    return {tuple(row["categories"]): {each: row[each] for each in DEFINITIONS} for row in answer[name]}


@pytest.mark.parametrize("day", [date(2025, 9, 30), date(2026, 3, 31), DAY])
def test_what_is_counted_is_what_one_counts_by_hand(registry: Registry, made: list[Registration], day: date) -> None:
    there = [one for one in made if one.registered_on <= day]
    said = counts(registry, day, NOW)
    assert said["counted_at"] == f"{day}T23:59:59.999999Z"
    assert {name: said[name] for name in DEFINITIONS} == by_hand(there, day)
    groups: dict[str, Callable[[Registration], str]] = {
        "by_region": lambda one: one.region,
        "by_age": lambda one: age(one, day),
        "by_desired_date": lambda one: desired(one, day),
    }
    for name, category_of in groups.items():
        due: dict[str, list[Registration]] = defaultdict(list)
        for one in there:
            due[category_of(one)].append(one)
        told = rows_of(said, name)
        assert {category for row in told for category in row} >= due.keys()
        for categories, row in told.items():
            assert row == by_hand([one for each in categories for one in due[each]], day)
    assert rows_of(said, "by_region").keys() == {("06", "13"), ("03",)}
    assert len(rows_of(said, "by_age")) >= 4


def test_a_month_that_is_over_is_for_ever_counted_the_same(registry: Registry, made: list[Registration]) -> None:
    before = counts(registry, DAY, NOW)
    # one is changed, one withdrawn, one comes: as the registry writes them, three weeks later
    moved = next(one for one in made if one.registered_on <= DAY and one.region == "03" and one.held == "none")
    gone = next(one for one in made if one.registered_on <= DAY and one.region == "06" and one.held == "none")
    when = {"when": "2026-11-21T12:00:00.000000Z"}
    with registry._engine.begin() as connection:
        names = connection.execute(text("SELECT * FROM registrations")).keys()
        kept = ", ".join(name for name in names if name not in {"version", "since", "until", "region", "held"})
        connection.execute(
            text(f"UPDATE registrations SET until = :when WHERE number IN ({moved.number}, {gone.number})"),  # noqa: S608  numbers
            when,
        )
        connection.execute(
            text(
                f"INSERT INTO registrations (version, since, region, held, {kept}) SELECT 1, :when, '06', "  # noqa: S608  names of ours
                f"'non_subsidised_daycare', {kept} FROM registrations WHERE number = {moved.number}"
            ),
            when,
        )
    assert counts(registry, DAY, NOW) == before
    assert counts(registry, date(2026, 11, 15), NOW) == {**before, "as_of": "2026-11-15"}
    later = counts(registry, date(2026, 11, 30), datetime(2026, 12, 1, tzinfo=UTC))

    assert later["counted_at"] == "2026-11-30T23:59:59.999999Z"
    came = sum(DAY < one.registered_on <= date(2026, 11, 30) for one in made)
    assert (int(str(before["all"])), int(str(later["all"]))) == (
        sum(one.registered_on <= DAY for one in made), int(str(before["all"])) + came - 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 10, 31), date(2026, 10, 31)),
        (date(2026, 10, 30), date(2026, 9, 30)),
        (date(2026, 3, 1), date(2026, 2, 28)),
        (date(2024, 2, 29), date(2024, 2, 29)),
    ],
)
def test_only_months_that_are_over_are_counted(day: date, end: date) -> None:
    assert last_month_end(day) == end


def test_where_a_definition_has_few_altogether_nothing_is_told(registry: Registry) -> None:
    said = counts(registry, date(2025, 2, 28), NOW)
    assert {said[name] for name in DEFINITIONS} == {None}
    assert [said[name] for name in BREAKDOWNS] == [[], [], []]


def test_what_is_not_over_yet_is_not_counted(registry: Registry) -> None:
    """However far ahead one asks; a month ends for the registry when its last day has passed."""
    said = counts(registry, date(2027, 6, 1), NOW)
    assert said["counted_at"] == "2026-10-31T23:59:59.999999Z"
    still = counts(registry, date(2027, 6, 1), datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    assert still == said
    assert counts(registry, date(2024, 12, 31), NOW)["all"] == 0


@pytest.mark.parametrize("query", ["", "as_of=soon", "as_of=2026-10-31&region=13", "day=2026-10-31"])
def test_what_is_no_question_is_refused(registry: Registry, query: str) -> None:
    """A region is none either: with the counts of the others it would tell its few."""
    with pytest.raises(Refusal) as caught:
        answered(
            Call("GET", f"/v1/waitlist/counts?{query}"), registry, Registrar(registry, b"k" * 32, lambda: NOW), NOW
        )
    assert caught.value.code is Code.FIELD_INVALID


def test_the_nine_of_a_region_are_not_told_by_subtraction(registry: Registry) -> None:
    """The attack: all regions less those that are told. Laval has 6 born and 3 unborn, 3 of them without a service."""
    said = counts(registry, DAY, NOW)
    told = rows_of(said, "by_region")
    assert ("13",) not in told
    for name in DEFINITIONS:
        left = int(str(said[name])) - told["03",][name]
        assert left == told["06", "13"][name] > 9


# the rule by itself ------------------------------------------------------------------------------------------------

_MOST = 11
COUNT = st.one_of(st.just(0), st.integers(1, 12), st.integers(0, 40_000))


@st.composite
def breakdowns(draw: st.DrawFn) -> list[list[Row]]:
    def row(name: str) -> Row:
        none, holding, other = (draw(COUNT) for _ in range(3))
        return Row((name,), none, holding, other, draw(st.integers(0, none + holding + other)))

    return [
        [row(f"{group} {place}") for place in range(draw(st.integers(1, 3)))]
        for group in range(draw(st.integers(1, 4)))
    ]


@given(breakdowns())
def test_what_is_published_is_a_coarser_division_without_few(groups: list[list[Row]]) -> None:
    """All that adding and subtracting give are sums of its parts, and each part is of nobody, or of five and more."""
    rows = [row for group in groups for row in group]
    told, whole = division(groups), together(rows)
    if not told:
        assert whole.has_few
        return
    for row in told:
        for part in (row.none, row.holding, row.other, row.unborn, row.everybody - row.unborn):
            assert part == 0 or part >= LEAST
    # nothing is lost, and nothing told as one in vain
    assert together(told) == whole
    for group in groups:
        if not any(row.has_few for row in rows):
            assert set(group) <= set(told)


@pytest.mark.parametrize("sizes", [(2, 1), (2, 2), (3, 1), (1, 1, 1)], ids=str)
def test_whoever_knows_the_rule_and_every_number_still_cannot_tell_a_few_apart(sizes: tuple[int, ...]) -> None:
    """Every small table: of those that are published alike, none has its few where all the others have as many."""
    seen: dict[tuple[Row, ...], list[tuple[int, ...]]] = defaultdict(list)
    for numbers in product(range(_MOST + 1), repeat=sum(sizes)):
        rows = iter(Row((str(at),), none, 0, 0, 0) for at, none in enumerate(numbers))
        told = division([[next(rows) for _ in range(size)] for size in sizes])
        # past that, not every table that is published so is among these
        if told and all(row.none <= _MOST for row in told):
            seen[told].append(numbers)
    assert any(len(told) < sum(sizes) for told in seen)
    for alike in seen.values():
        for values in map(set, zip(*alike, strict=True)):
            assert len(values) > 1 or not 0 < min(values) < LEAST


def test_nor_where_each_category_has_two_parts() -> None:
    seen: dict[tuple[Row, ...], list[tuple[int, ...]]] = defaultdict(list)
    for numbers in product(range(_MOST + 1), repeat=4):
        told = division([[Row((str(at),), numbers[at], 0, numbers[at + 2], 0) for at in range(2)]])
        if told and all(max(row.none, row.other) <= _MOST for row in told):
            seen[told].append(numbers)
    for alike in seen.values():
        for values in map(set, zip(*alike, strict=True)):
            assert len(values) > 1 or not 0 < min(values) < LEAST
