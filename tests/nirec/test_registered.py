"""Children whom another party keeps: asked about under its handle, told under the caller's (N3, N4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import Code, Refusal
from gateway.model import Nirec
from gateway.storage import make_change
from tests.nirec.test_subjects import NIREC, asked, database
from tests.nirec.test_subjects_over_time import OTHER, World

if TYPE_CHECKING:
    from gateway.model import DisclosedSubject
    from gateway.storage import Database

__all__ = ["database"]
REGISTRY = "cooperative"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def listed(world: World, *handles: str, party: str = "ministry", gives: bool = True) -> tuple[DisclosedSubject, ...]:
    return world.do(asked("list", *handles, party=party, upstream=REGISTRY, gives_handle=gives))


def named(world: World, handle: str, party: str = "ministry") -> str:
    (name,) = world.subjects.named_for((handle,), party, REGISTRY)
    return name


def test_the_upstream_is_asked_under_its_own_handle(world: World) -> None:
    theirs, ours = world.verify(party=REGISTRY).handle, world.verify().handle
    assert theirs != ours
    assert named(world, ours) == theirs


def test_a_party_that_was_never_told_of_the_child(world: World) -> None:
    ours = world.verify().handle
    before = world.count("handles")
    with pytest.raises(Refusal) as caught:
        named(world, ours)
    assert caught.value.code is Code.NOT_REGISTERED
    # it has not become one that the party was given
    assert world.count("handles") == before
    with pytest.raises(Refusal) as caught:
        named(world, "0" * 64)
    assert caught.value.code is Code.HANDLE_UNKNOWN


def test_a_child_of_two_files_is_asked_about_under_the_name_that_the_upstream_knows(world: World) -> None:
    theirs = world.verify(party=REGISTRY).handle
    ours = world.verify().handle
    other = world.expect()
    world.merge(ours, other)
    assert {named(world, each) for each in (ours, other)} == {theirs}


def test_what_was_looked_up_is_named_and_changes_nothing(world: World) -> None:
    ours = world.verify()
    before = world.count("handles")
    assert world.do(asked("read", ours.handle)) == (ours,)
    assert world.count("handles") == before
    with pytest.raises(Refusal):
        world.do(asked("read", "0" * 64))


def test_those_found_are_told_under_handles_that_the_caller_may_use(world: World) -> None:
    theirs = [world.verify(nirec, REGISTRY).handle for nirec in (NIREC, OTHER)]
    told = listed(world, theirs[0], theirs[1], theirs[0])
    assert told[0] == told[2] != told[1]
    assert not {one.handle for one in told} & set(theirs)
    world.subjects.check([one.handle for one in told], "ministry")
    assert told[0] == world.verify()
    assert [named(world, one.handle) for one in told[:2]] == theirs
    assert listed(world) == ()


def test_where_the_agreement_gives_no_list_no_handle_is_given(world: World) -> None:
    theirs = world.verify(party=REGISTRY).handle
    (told,) = listed(world, theirs, gives=False)
    with pytest.raises(Refusal):
        world.subjects.check([told.handle], "ministry")


def test_a_handle_that_the_upstream_was_never_given(world: World) -> None:
    ours = world.verify().handle
    for stranger in (ours, "f" * 64):
        with pytest.raises(Refusal) as caught:
            listed(world, stranger)
        assert caught.value.code is Code.UPSTREAM_MALFORMED


def test_files_from_before_the_gateway(world: World) -> None:
    """Enrolled at once, they are what they would be one by one; a child that is known gets no second subject."""
    known = world.verify(OTHER, "ministry")
    numbers = (Nirec(NIREC), Nirec(OTHER), None)
    told = [world.subjects.enrolled(nirec, REGISTRY) for nirec in numbers]
    with world.database.writing() as connection:
        for _, statements in told:
            for one in statements:
                assert connection.exec_driver_sql(one.text, one.values).rowcount == (one.rows or 1)
    handles = [handle for handle, _ in told]
    world.subjects.check(handles, REGISTRY)
    assert world.verify(NIREC, REGISTRY).handle == handles[0]
    again = world.verify(OTHER, REGISTRY)
    assert (again.handle, again.ledger) == (handles[1], known.ledger)
    assert world.count("subjects") == 3
    assert world.subjects.enrolled(numbers[0], REGISTRY) == (handles[0], ())


def test_a_party_that_is_told_of_a_child_knows_it_from_then_on(world: World) -> None:
    ours = world.verify().handle
    names, changes = world.subjects.introduced((ours,), "ministry", REGISTRY)
    assert names[0] != ours
    with world.database.writing() as connection:
        for change in changes:
            make_change(connection, change)
    assert named(world, ours) == names[0]
    # told before, it is told the same, and nothing changes
    assert world.subjects.introduced((ours,), "ministry", REGISTRY) == (names, ())
    assert world.verify(party=REGISTRY).handle == names[0]
    with pytest.raises(Refusal) as caught:
        world.subjects.introduced(("0" * 64,), "ministry", REGISTRY)
    assert caught.value.code is Code.HANDLE_UNKNOWN


def test_a_child_that_is_expected_again_under_one_key_is_the_same(world: World) -> None:
    seed = bytes(range(16))
    first = world.do(asked("expect", seed=seed))
    assert world.do(asked("expect", seed=seed)) == first != world.do(asked("expect"))
    assert world.do(asked("expect", seed=seed[::-1])) != first
    # born meanwhile, it is that child still
    world.birth(first[0].handle)
    assert world.do(asked("expect", seed=seed)) == first
