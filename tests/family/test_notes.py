"""What a family can be told: found by any name of its child, and by nobody who has the table alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidTag

from gateway.errors import Code, Refusal
from gateway.family.note import SealedNote, lookup_of, seal, unseal
from gateway.family.notes import FamilyNotes, instant
from gateway.family.storage import DatabaseNotes
from gateway.family.view import MOST, FamilyView, Words
from gateway.model import Disclosure, Grant
from gateway.storage import make_change
from tests.adapters.fakes import SystemRandomness
from tests.guard.test_claims import message
from tests.nirec.test_subjects import NIREC, asked, database
from tests.nirec.test_subjects_over_time import OTHER, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.family.note import Note
    from gateway.model import SubjectAct
    from gateway.storage import Database

__all__ = ["database"]
COOPERATIVE, MINISTRY = "cooperative", "ministry"


class Family(World):
    """A directory of children whose disclosures are noted, and the view of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.store = DatabaseNotes(database)
        self.notes = FamilyNotes(self.store, SystemRandomness())
        self.view = FamilyView(self.store, self.subjects.secrets, _words)

    def grant(self, party: str, operation: str = "nirec.verify", **fields: str) -> Grant:
        made = message(self.clock, "n", party=party)
        named = replace(made.operation, name=operation)
        return Grant(
            replace(made, operation=named, fields=fields), "ENT", "fin", frozenset(), tells_not_found=False,
            policy_sha256="00" * 32,
        )  # fmt: skip

    def tell(self, act: SubjectAct, *handles: str, party: str = MINISTRY, nirec: str | None = None) -> str:
        """An exchange about a child, with its note; gives the caller's handle."""
        told = self.subjects.disclose(asked(act, *handles, party=party, nirec=nirec, reason="duplicate_file"))
        changes = self.notes.noted(self.grant(party, f"test.{act}"), told, ["outcome", "handle"])
        with self.database.writing() as connection:
            for change in (*told.changes, *changes):
                make_change(connection, change)
        self.clock.shift += timedelta(seconds=1)
        return told.subjects[0].handle

    def seen(self, handle: str, party: str = COOPERATIVE, **more: str) -> list[tuple[str, str]]:
        return [(str(one["party"]), str(one["operation"])) for one in self.told(handle, party, **more)]

    def told(self, handle: str, party: str = COOPERATIVE, **more: str) -> list[dict[str, object]]:
        found = self.view.call(self.grant(party, handle=handle, **more)).fields["disclosures"]
        assert isinstance(found, list)
        return found


def _words(note: Note) -> Words:
    fields = tuple((f"{name} fr", f"{name} en") for name in note.fields)
    return Words((note.party,) * 2, None, (note.operation,) * 2, (note.agreement,) * 2, fields)


@pytest.fixture
def family(database: Database) -> Family:
    return Family(database)


def test_who_received_what_newest_first(family: Family) -> None:
    ours = family.tell("disclose", nirec=NIREC, party=COOPERATIVE)
    family.tell("disclose", nirec=NIREC)
    family.tell("disclose", nirec=OTHER)
    assert family.seen(ours) == [(MINISTRY, "test.disclose"), (COOPERATIVE, "test.disclose")]
    one = family.told(ours)[0]
    assert (one["purpose"], one["agreement"], one["fields"]) == ("fin", "ENT", ["handle", "outcome"])
    assert (one["fields_fr"], one["fields_en"]) == (["handle fr", "outcome fr"], ["handle en", "outcome en"])
    assert str(one["at"]).endswith("Z")


@pytest.mark.parametrize("whose", ["another party's", "nobody's"])
def test_by_a_handle_that_is_not_the_caller_s_nothing_is_told(family: Family, whose: str) -> None:
    handle = family.tell("disclose", nirec=NIREC) if whose == "another party's" else "0" * 64
    with pytest.raises(Refusal) as caught:
        family.told(handle)
    assert caught.value.code is Code.HANDLE_UNKNOWN


def test_two_files_that_became_one_child_have_one_view(family: Family) -> None:
    one, other = (family.tell("expect", party=COOPERATIVE) for _ in range(2))
    family.tell("attach", one, nirec=NIREC, party=COOPERATIVE)
    family.tell("disclose", nirec=NIREC)
    before = family.seen(one)
    family.tell("merge", one, other, party=COOPERATIVE)
    family.tell("disclose", nirec=NIREC)
    seen = family.seen(other)
    assert seen == family.seen(one)
    assert seen[:2] == [(MINISTRY, "test.disclose"), (COOPERATIVE, "test.merge")]
    assert sorted(seen[2:]) == sorted([*before, (COOPERATIVE, "test.expect")])


def test_a_list_is_noted_once_for_each_child(family: Family) -> None:
    theirs = [family.tell("disclose", nirec=nirec, party=COOPERATIVE) for nirec in (NIREC, OTHER)]
    told = family.subjects.disclose(asked("list", *theirs, theirs[0], upstream=COOPERATIVE))
    (change,) = family.notes.noted(family.grant(MINISTRY, "test.list"), told, ["hits"])
    assert len(change.added) == 2
    assert not change.alone
    with family.database.writing() as connection:
        make_change(connection, change)
    assert [family.seen(handle)[0] for handle in theirs] == [(MINISTRY, "test.list")] * 2


def test_whoever_goes_on_misses_nothing_and_is_told_nothing_twice(family: Family) -> None:
    ours = family.tell("disclose", nirec=NIREC, party=COOPERATIVE)
    for _ in range(MOST):
        family.tell("disclose", nirec=NIREC)
    first = family.view.call(family.grant(COOPERATIVE, handle=ours)).fields
    assert first["more"] is True
    page = family.told(ours)
    rest = family.view.call(family.grant(COOPERATIVE, handle=ours, before=str(page[-1]["at"]))).fields
    assert (rest["more"], len(page)) == (False, MOST)
    ids = [one["exchange_id"] for one in (*page, *family.told(ours, before=str(page[-1]["at"])))]
    assert len(set(ids)) == len(ids) == MOST + 1
    assert family.told(ours, before="2001-01-01T00:00:00Z") == []


def test_those_of_one_instant_stand_on_one_page(family: Family) -> None:
    """Else whoever goes on before that instant would never be told of some of them."""
    secret, at = bytes(32), family.clock.now()
    made = family.notes.noted(family.grant(MINISTRY), Disclosure((), (), (secret,)), [])
    note = unseal(SealedNote(*(made[0].added[0].values[place] for place in (0, 1, 3))), secret)  # type: ignore[arg-type]  # bytes
    same = {MOST - 1, MOST}
    times = [instant(at - timedelta(seconds=MOST if count in same else count)) for count in range(MOST + 1)]
    notes = [replace(note, at=when, exchange_id=str(count)) for count, when in enumerate(times)]

    class Made(DatabaseNotes):
        def of(self, lookups: Sequence[bytes]) -> list[SealedNote]:
            assert len(lookups) == 1
            return [seal(one, secret, bytes(12)) for one in notes]

    view = FamilyView(Made(family.database), lambda _handle, _party: (secret,), _words)
    page = view.call(family.grant(COOPERATIVE, handle="")).fields
    told = page["disclosures"]
    assert isinstance(told, list)
    assert (len(told), page["more"]) == (MOST - 1, True)
    rest = view.call(family.grant(COOPERATIVE, handle="", before=told[-1]["at"])).fields
    assert len(rest["disclosures"]) == len(same)  # type: ignore[arg-type]  # a list
    assert rest["more"] is False


def test_a_stolen_table_tells_nothing(family: Family, database: Database) -> None:
    ours = family.tell("disclose", nirec=NIREC, party=COOPERATIVE)
    family.tell("expect", party=COOPERATIVE)
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT lookup, nonce, sealed, period FROM family_notes").all()
    assert len({len(row.sealed) for row in rows}) == 1
    for row in rows:
        stolen = bytes(row.lookup) + bytes(row.nonce) + bytes(row.sealed)
        for word in (COOPERATIVE, "test.", "fin", ours, NIREC, "outcome"):
            assert word.encode() not in stolen
        assert bytes.fromhex(ours) not in stolen
        assert row.period == family.clock.now().year * 100 + family.clock.now().month


def test_what_is_noted_goes_with_its_period(family: Family) -> None:
    ours, at = family.tell("disclose", nirec=NIREC, party=COOPERATIVE), family.clock.now()
    period = at.year * 100 + at.month
    assert (family.store.forget(period - 1), len(family.told(ours))) == (0, 1)
    assert (family.store.forget(period), family.told(ours), family.store.is_empty()) == (1, [], True)


def test_a_note_put_under_another_child_does_not_open(family: Family) -> None:
    one, other = (family.tell("disclose", nirec=nirec, party=COOPERATIVE) for nirec in (NIREC, OTHER))
    (mine,), (theirs,) = (family.subjects.secrets(handle, COOPERATIVE) for handle in (one, other))
    (note,) = family.store.of((lookup_of(mine),))
    assert unseal(note, mine).party == COOPERATIVE
    for moved, secret in ((replace(note, lookup=lookup_of(theirs)), mine), (note, theirs)):
        with pytest.raises(InvalidTag):
            unseal(moved, secret)


def test_times_are_in_the_order_of_their_texts(family: Family) -> None:
    at = family.clock.now().replace(microsecond=0)
    assert instant(at) < instant(at + timedelta(microseconds=1)) < instant(at + timedelta(seconds=1))
