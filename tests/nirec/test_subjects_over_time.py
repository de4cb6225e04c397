"""A child expected, born, and found to be another: handles and pseudonyms over the years (N2, N3, N4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.errors import Code, PasserelleError, Refusal, StorageUnavailableError
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import HANDLES_KEY
from gateway.storage import Database, make_change
from gateway.system import SystemRandomness
from tests.adapters.fakes import ShiftedClock
from tests.nirec.test_subjects import NIREC, MacKeys, asked, database, directory

if TYPE_CHECKING:
    from gateway.model import DisclosedSubject, Disclosure, SubjectRequest
    from gateway.nirec.subjects import SubjectDirectory

__all__ = ["database"]
OTHER, THIRD = "9" * 13, "8" * 13


class World:
    """A directory whose changes are written as step 8 would, in a transaction of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ShiftedClock()
        self.subjects: SubjectDirectory = directory(database, MacKeys(), self.clock)

    def write(self, told: Disclosure) -> None:
        with self.database.writing() as connection:
            for change in told.changes:
                make_change(connection, change)

    def do(self, request: SubjectRequest) -> tuple[DisclosedSubject, ...]:
        told = self.subjects.disclose(request)
        self.write(told)
        return told.subjects

    def expect(self, party: str = "ministry") -> str:
        return self.do(asked("expect", party=party))[0].handle

    def expect_that(self, *, stays: bool, beside: str, party: str = "ministry", of: str = "ministry") -> str:
        """Another child, whose id makes it the one that stays, or not, in a merge with this one; both are random."""
        handle = self.expect(party)
        while stays != (self.id(handle, party) < self.id(beside, of)):
            handle = self.expect(party)
        return handle

    def children(self, count: int) -> list[str]:
        """Expected by the ministry, in the order in which they stay when two are merged."""
        return sorted((self.expect() for _ in range(count)), key=lambda handle: self.id(handle, "ministry"))

    def id(self, handle: str, party: str) -> bytes:
        found = DatabaseSubjects(self.database, self.clock, SystemRandomness()).named(
            MacKeys().mac(HANDLES_KEY, f"{party}\0{handle}".encode())
        )
        assert found is not None
        return found.named

    def verify(self, nirec: str = NIREC, party: str = "ministry") -> DisclosedSubject:
        return self.do(asked("disclose", nirec=nirec, party=party))[0]

    def birth(self, handle: str, nirec: str = NIREC, party: str = "ministry") -> tuple[DisclosedSubject, ...]:
        return self.do(asked("attach", handle, nirec=nirec, party=party))

    def merge(self, one: str, other: str, reason: str = "duplicate_file", party: str = "ministry") -> str:
        return self.do(asked("merge", one, other, reason=reason, party=party))[0].handle

    def years_pass(self) -> None:
        self.clock.shift += timedelta(days=400)

    def count(self, table: str) -> int:
        with self.database.reading() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608  a table of ours


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def code_of(raised: pytest.ExceptionInfo[Refusal]) -> Code:
    return raised.value.code


def test_an_expected_child_gets_its_nirec_at_birth_and_keeps_its_handle(world: World) -> None:
    handle = world.expect()
    assert (world.count("subjects"), world.count("pseudonyms")) == (1, 0)
    subjects = world.birth(handle)
    assert [(subject.handle, subject.role) for subject in subjects] == [(handle, None)]
    assert world.verify().handle == handle
    # again, it is what it was
    assert world.birth(handle) == subjects
    assert (world.count("subjects"), world.count("pseudonyms"), world.count("handles")) == (1, 1, 1)


def test_a_table_that_cannot_be_read_is_not_an_unknown_handle(world: World) -> None:
    handle = world.expect()
    with world.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE handles RENAME TO lost")
    with pytest.raises(StorageUnavailableError):
        world.subjects.check((handle,), "ministry")


def test_without_a_nirec_nobody_is_disclosed(world: World) -> None:
    with pytest.raises(PasserelleError):
        world.do(asked("disclose"))
    assert world.count("subjects") == 0


def test_each_call_expects_another_child(world: World) -> None:
    assert world.expect() != world.expect()


def test_a_foreign_and_an_invented_handle_cannot_be_told_apart(world: World) -> None:
    foreign = world.expect("cooperative")
    for handle in (foreign, "0" * 64, world.verify(party="cooperative").handle):
        with pytest.raises(Refusal) as raised:
            world.subjects.check((handle,), "ministry")
        assert str(raised.value) == "handle_unknown: handle"
        with pytest.raises(Refusal):
            world.birth(handle)
        with pytest.raises(Refusal):
            world.merge(world.expect(), handle)
    world.subjects.check((foreign,), "cooperative")


def test_a_handle_that_was_computed_but_never_given_is_unknown(world: World) -> None:
    told = world.subjects.disclose(asked("disclose", nirec=NIREC, gives_handle=False))
    world.write(told)
    with pytest.raises(Refusal):
        world.subjects.check((told.subjects[0].handle,), "ministry")


def test_a_copy_of_the_tables_finds_no_handle(world: World) -> None:
    handle = world.verify().handle
    with world.database.reading() as connection:
        row = bytes(connection.exec_driver_sql("SELECT lookup FROM handles").scalar_one())
    assert row not in (bytes.fromhex(handle), MacKeys().mac("handle-ministry", bytes.fromhex(handle)))
    assert row == MacKeys().mac(HANDLES_KEY, f"ministry\0{handle}".encode())


def test_the_birth_of_a_nirec_that_the_party_knows_asks_for_a_merge(world: World) -> None:
    known = world.verify()
    handle = world.expect()
    with pytest.raises(Refusal) as raised:
        world.birth(handle)
    assert (code_of(raised), world.count("pseudonyms")) == (Code.MERGE_NEEDED, 1)
    # which does it
    stays = world.merge(handle, known.handle)
    assert stays in {handle, known.handle}
    assert world.birth(handle)[0].handle == world.birth(known.handle)[0].handle == stays


@pytest.mark.parametrize("ours", [False, True], ids=["theirs_stays", "ours_stays"])
def test_the_birth_of_a_nirec_that_only_others_know_tells_nothing_of_them(world: World, ours: bool) -> None:  # noqa: FBT001  a table's column
    """To refuse it would say that somebody else had asked about this child (N4)."""
    theirs = world.verify(party="cooperative")
    handle = world.expect_that(stays=ours, beside=theirs.handle, of="cooperative")
    survivor, merged = world.birth(handle)
    assert (survivor.role, merged.role) == ("survivor", "merged")
    assert theirs.ledger == (merged if ours else survivor).ledger
    # each goes on under the handle that it has, whichever of the two stays
    assert survivor.handle == world.verify().handle == world.birth(handle)[0].handle == handle
    assert world.verify(party="cooperative").handle == theirs.handle
    assert world.verify(party="cooperative").ledger == world.verify().ledger == survivor.ledger
    # and who asks for the first time is told of the one that stays
    third = world.verify(party="third")
    assert (third.ledger, world.verify(party="third")) == (survivor.ledger, third)


def test_a_born_child_has_one_nirec(world: World) -> None:
    handle = world.expect()
    world.birth(handle)
    with pytest.raises(Refusal) as raised:
        world.birth(handle, OTHER)
    assert code_of(raised) is Code.MERGE_NEEDED
    assert world.count("pseudonyms") == 1


@pytest.mark.parametrize("expected_stays", [False, True])
def test_one_subject_stays_and_both_handles_name_it_for_ever(world: World, expected_stays: bool) -> None:  # noqa: FBT001  a table's column
    verified = world.verify().handle
    expected = world.expect_that(stays=expected_stays, beside=verified)
    stays, goes = (expected, verified) if expected_stays else (verified, expected)
    subjects = world.do(asked("merge", verified, expected, reason="duplicate_file"))
    assert [(subject.handle, subject.role) for subject in subjects] == [(stays, "survivor"), (goes, "merged")]
    assert world.verify().handle == stays
    assert world.birth(goes)[0].handle == stays
    world.subjects.check((expected, verified), "ministry")
    # another worker, which knew the NIREC before, follows at once: it keeps nothing
    assert directory(world.database).disclose(asked("disclose", nirec=NIREC)).subjects[0].handle == stays


@pytest.mark.parametrize("stays", [False, True])
def test_which_handle_stays_does_not_tell_who_came_first(world: World, stays: bool) -> None:  # noqa: FBT001  the same
    """Had the older child stayed, a merge would have said that somebody asked about it before the party did (N4)."""
    world.verify(party="cooperative")
    world.years_pass()
    verified = world.verify().handle
    expected = world.expect_that(stays=stays, beside=verified)
    assert world.merge(verified, expected) == (expected if stays else verified)


def test_what_others_merge_changes_no_handle_that_a_party_has_or_gets(world: World) -> None:
    """Of the handles that it knows, the one that would have stayed had nobody else been there."""
    verified, theirs = world.verify().handle, world.verify(party="cooperative").handle
    ours = world.expect_that(stays=False, beside=verified)
    below = world.expect_that(stays=True, beside=theirs, party="cooperative", of="cooperative")
    assert world.merge(theirs, below, party="cooperative") == below
    assert world.verify().handle == verified
    assert world.merge(ours, verified) == world.birth(ours)[0].handle == verified


def test_a_repeated_merge_changes_nothing(world: World) -> None:
    one, other = world.expect(), world.expect()
    stays = world.merge(one, other)
    again = world.subjects.disclose(asked("merge", other, one, reason="duplicate_file"))
    assert again.changes == ()
    assert (again.subjects[0].handle, again.subjects[0].role) == (stays, "survivor")
    assert (world.merge(one, one), world.count("merged_subjects")) == (stays, 1)


def test_there_is_no_cycle_and_no_chain(world: World) -> None:
    first, second, third, fourth = handles = world.children(4)
    assert world.merge(third, fourth) == third
    assert world.merge(second, fourth) == second
    assert world.merge(second, first) == first
    assert world.merge(fourth, first) == first
    with world.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT subject, survivor FROM merged_subjects").fetchall()
    assert (len(rows), len({row.survivor for row in rows})) == (3, 1)
    assert not {row.survivor for row in rows} & {row.subject for row in rows}
    assert all(world.merge(handle, handle) == first for handle in handles)


@pytest.mark.parametrize("reason", ["duplicate_file", "new_number"])
def test_two_children_with_a_nirec_each_are_one_only_where_the_registry_gave_a_new_number(
    world: World, reason: str
) -> None:
    one, other = world.verify(NIREC).handle, world.verify(OTHER).handle
    if reason == "duplicate_file":
        with pytest.raises(Refusal) as raised:
            world.merge(one, other, reason)
        assert (code_of(raised), world.count("merged_subjects")) == (Code.MERGE_REFUSED, 0)
    else:
        stays = world.merge(one, other, reason)
        assert world.verify(NIREC).handle == world.verify(OTHER).handle == stays
        # a third one is weighed against both numbers
        with pytest.raises(Refusal):
            world.merge(one, world.verify(THIRD).handle)


def race(world: World, first: SubjectRequest, second: SubjectRequest) -> Code:
    """Both are answered from what was true before; the second comes to the commit after the first."""
    one, other = world.subjects.disclose(first), world.subjects.disclose(second)
    world.write(one)
    with pytest.raises(Refusal) as raised:
        world.write(other)
    return code_of(raised)


def test_two_workers_attaching_one_nirec_at_once(world: World) -> None:
    one, other = world.expect(), world.expect()
    assert race(world, asked("attach", one, nirec=NIREC), asked("attach", other, nirec=NIREC)) is Code.SUBJECTS_CHANGED
    assert world.count("pseudonyms") == 1
    with pytest.raises(Refusal) as raised:
        world.birth(other)  # the retry is told what to do
    assert code_of(raised) is Code.MERGE_NEEDED


def test_two_nirecs_for_one_expected_child_at_once(world: World) -> None:
    handle = world.expect()
    assert race(world, asked("attach", handle, nirec=NIREC), asked("attach", handle, nirec=OTHER)) is (
        Code.SUBJECTS_CHANGED
    )
    assert world.count("pseudonyms") == 1


def test_a_verification_between_a_birth_s_confirmation_and_its_commit(world: World) -> None:
    told = world.subjects.disclose(asked("attach", world.expect(), nirec=NIREC))
    known = world.verify()
    with pytest.raises(Refusal) as raised:
        world.write(told)
    assert code_of(raised) is Code.SUBJECTS_CHANGED
    assert world.verify() == known


def test_concurrent_merges_cannot_make_a_cycle(world: World) -> None:
    one, other = world.expect(), world.expect()
    back = asked("merge", other, one, reason="duplicate_file")
    assert race(world, asked("merge", one, other, reason="duplicate_file"), back) is Code.SUBJECTS_CHANGED
    assert world.count("merged_subjects") == 1


def test_concurrent_merges_cannot_make_a_chain(world: World) -> None:
    first, second, third = world.children(3)
    into_first = asked("merge", first, second, reason="duplicate_file")
    assert race(world, into_first, asked("merge", second, third, reason="duplicate_file")) is Code.SUBJECTS_CHANGED
    assert world.merge(second, third) == first


def test_a_merge_counts_again_how_many_nirecs_there_are(world: World) -> None:
    """Twins: one is born with a NIREC between the merge's look and its commit."""
    born, expected = world.verify(OTHER).handle, world.expect()
    birth = asked("attach", expected, nirec=NIREC)
    assert race(world, birth, asked("merge", born, expected, reason="duplicate_file")) is Code.SUBJECTS_CHANGED
    assert world.count("merged_subjects") == 0


def test_a_birth_is_not_attached_to_whom_a_merge_has_just_taken_in(world: World) -> None:
    stays, goes = world.children(2)
    merge = asked("merge", stays, goes, reason="duplicate_file")
    assert race(world, merge, asked("attach", goes, nirec=NIREC)) is Code.SUBJECTS_CHANGED
    assert world.birth(goes)[0].handle == stays
