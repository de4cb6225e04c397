"""The cooperative's synthetic registry: what is in it, that it stays so as it grows, and what is counted of it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.cooperative.sandbox.registrations import (
    FIRST_DAY,
    LAST_DAY,
    NONE,
    PUBLIC_FIGURE,
    Child,
    Registration,
    make_registrations,
)
from adapters.cooperative.sandbox.statistics import statistics
from adapters.cooperative.sandbox.storage import Registry, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.cluster import Cluster

COUNT = 600
BORN = [Child("Côté", f"Léa {number}", date(2024, 2, 29), None) for number in range(40)]


@pytest.fixture(scope="module")
def made() -> list[Registration]:
    return list(make_registrations(BORN, 0, COUNT))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registrations.sqlite'}"
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    shared = cluster.database()
    yield shared
    with psycopg.connect(shared) as connection:
        connection.execute("DROP TABLE parents, registrations, effects")
    cluster.give_back(shared)


def handle(one: Registration) -> str:
    return f"{one.number:064x}"


@pytest.fixture
def registry(url: str, made: list[Registration]) -> Iterator[Registry]:
    opened = Registry(url)
    assert not opened.exists()
    opened.create()
    assert opened.exists()
    opened.add((handle(one), one) for one in made[:100])
    opened.add((handle(one), one) for one in made[100:])
    assert opened.count() == COUNT
    yield opened
    opened.dispose()


def test_a_registry_that_grows_keeps_what_it_has(made: list[Registration]) -> None:
    assert [*make_registrations(BORN, 0, 60), *make_registrations(BORN, 60, COUNT)] == made
    assert [one.number for one in made] == list(range(COUNT))


def test_children_of_another_registry_come_first_and_each_once(made: list[Registration]) -> None:
    known = [one for one in made if one.known is not None]
    assert [one.known for one in known] == list(range(len(BORN)))
    assert all(one.child is BORN[one.known or 0] for one in known)


def test_what_is_in_it(made: list[Registration]) -> None:
    unborn = [one for one in made if one.child.birth_date is None]
    assert COUNT / 10 < len(unborn) < COUNT / 5
    assert all(one.child.expected_date and one.child.given_names is None for one in unborn)
    # a third already have another kind of service
    assert COUNT / 4 < sum(one.held != NONE for one in made) < COUNT * 5 / 12
    assert Counter(one.region for one in made)["13"] == 9
    assert all(FIRST_DAY <= one.registered_on <= LAST_DAY for one in made)
    named = [one for one in made for parent in one.parents if (parent.family_name, parent.given_names) == PUBLIC_FIGURE]
    assert len(named) == 2
    own = [one for one in made if one.known is None]
    twins = [
        (one, other)
        for one, other in pairwise(own)
        if one.child.family_name == other.child.family_name and one.child.birth_date == other.child.birth_date
    ]
    assert twins
    assert all(one.parents == other.parents for one, other in twins)
    assert any(not one.child.family_name.isascii() for one in own)
    assert all(parent.phone[3:8] == "-555-" for one in made for parent in one.parents)


def test_names_are_looked_up_without_accents_case_or_hyphens() -> None:
    assert key_of("Marie-Ève  Côté") == key_of("MARIE EVE COTE") == "marie eve cote"
    assert key_of("O'Bomsawin") == "o'bomsawin"


def test_what_is_counted_is_what_is_there(registry: Registry, made: list[Registration]) -> None:
    day = date(2026, 3, 31)
    there = [one for one in made if one.registered_on <= day]
    montreal = [one for one in there if one.region == "06"]
    said = statistics(registry, "2026-03-31", None)
    assert (said["waiting"], said["final"], said["counted_at"]) == (len(there), True, "2026-03-31T23:59:59Z")
    only = statistics(registry, "2026-03-31", "06")
    regions = said["regions"]
    assert isinstance(regions, list)
    assert only["regions"] == [regions[1]]
    assert {each["definition"]: each["waiting"] for each in regions[1]["definitions"]} == {
        "all": len(montreal),
        "born": sum(one.child.birth_date is not None and one.child.birth_date <= day for one in montreal),
        "wanted_by_now": sum(one.desired_on <= day for one in montreal),
        "without_place": sum(one.held == NONE for one in montreal),
    }
    waited = sum((day - one.registered_on).days for one in montreal) / len(montreal) / 30.4375
    assert float(regions[1]["average_wait_months"]) == pytest.approx(waited, abs=0.006)


def test_small_counts_are_withheld_and_the_last_month_is_not_final(registry: Registry) -> None:
    said = statistics(registry, "2027-06-01", "13")
    regions = said["regions"]
    assert isinstance(regions, list)
    assert [each["waiting"] for each in regions[0]["definitions"]] == [9, None, None, None]
    assert (said["final"], "note" in said, said["counted_at"]) == (False, True, "2026-11-30T23:59:59Z")
    assert statistics(registry, "2024-12-31", None)["regions"] == []


def test_no_few_are_told_by_what_is_left_of_a_total(registry: Registry, made: list[Registration]) -> None:
    """Laval's six born of nine would tell its three unborn; two regions' counts, those of a third with few."""
    day = sorted(one.registered_on for one in made if one.region == "13")[2]
    said = statistics(registry, day.isoformat(), None)
    regions = said["regions"]
    assert isinstance(regions, list)
    assert [each["code"] for each in regions] == ["03", "06", "13"]
    assert {each["waiting"] for each in regions} == {None}
    assert {one["waiting"] for each in regions for one in each["definitions"]} == {None}


def test_a_registration_is_found_by_its_handle_alone(registry: Registry, made: list[Registration]) -> None:
    kept = registry.by_handle(handle(made[17]))
    assert kept is not None
    assert kept.row["family_name"] == made[17].child.family_name
    assert [(one["family_name"], one["given_names"]) for one in kept.parents] == [PUBLIC_FIGURE]
    assert made[17].child.family_name not in repr(kept)
    assert registry.by_handle("f" * 64) is None


def test_no_file_is_overwritten_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "below" / "registrations.sqlite"
    opened = Registry(f"sqlite:///{path}")
    assert not opened.exists()
    opened.create()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        opened.create()
    opened.dispose()
