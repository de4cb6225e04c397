"""What an exchange changes at rest is in with its record, or neither is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.change import Addition, Change, Statement
from gateway.errors import Code, NotRecordedError, Refusal
from gateway.ledger.storage import Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ledger.rows import NewRecord
    from gateway.ledger.writer import Writer
    from gateway.storage import Database

    from .conftest import Bench

INSERT = "INSERT INTO subjects (id, created) VALUES (?, '2026-11')"


def subject(number: int, rows: int | None = 1) -> Statement:
    return Statement(INSERT, (bytes([number]) * 16,), rows)


def change(*statements: Statement) -> Change:
    return Change(statements, Code.SUBJECTS_CHANGED)


class DyingRecords(Records):
    """Ends in the middle of a commit, once everything is written and before it is durable."""

    dying = False

    def add(self, batch: Sequence[NewRecord]) -> list[Exception | None]:
        if not self.dying:
            return super().add(batch)
        with self._database.writing():
            super().add(batch)
            raise OSError("power cut")


def exchange(bench: Bench, writer: Writer, changes: Change) -> None:
    draft = writer.draft("exchange", uuid4(), bench.clock.now(), b"{}")
    writer.commit(draft, party="ministry", changes=(changes,))


def subjects(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar_one())


def kinds(bench: Bench) -> list[str]:
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    return [leaf.kind for leaf, _ in bench.whole_log() if leaf.kind in {"exchange", "void"}]


def test_both_are_in(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    exchange(bench, writer, change(subject(1), subject(2)))
    assert subjects(bench.database()) == 2
    assert kinds(bench) == ["exchange"]


@pytest.mark.parametrize(
    "statements",
    [
        (subject(1), Statement("UPDATE subjects SET created = 'x' WHERE id = ?", (b"0",), 1)),
        (subject(1), Statement("DELETE FROM subjects WHERE id <> ?", (b"0",), 2)),
        (subject(1), subject(1)),
    ],
    ids=["nothing_touched", "less_touched", "there_already"],
)
def test_a_conflict_leaves_neither_and_a_void_counter(bench: Bench, statements: tuple[Statement, ...]) -> None:
    bench.begin()
    writer = bench.writer()
    with pytest.raises(Refusal) as raised:
        exchange(bench, writer, change(*statements))
    assert raised.value.code is Code.SUBJECTS_CHANGED
    assert subjects(bench.database()) == 0
    exchange(bench, writer, change(subject(3)))
    assert kinds(bench) == ["void", "exchange"]


def test_a_conflict_takes_nobody_else_of_its_batch_along(bench: Bench) -> None:
    bench.begin()
    database = bench.database()
    records = Records(database, bench.objects.__getitem__)
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", uuid4(), bench.clock.now(), b"{}") for _ in range(3)]
    changes = [(change(subject(1)),), (change(subject(1)),), ()]
    rows = [writer.row(draft, changes=each) for draft, each in zip(drafts, changes, strict=True)]
    with pytest.raises(Refusal):
        records.add(rows)
    assert subjects(database) == 0
    # what GroupCommit does then
    results = []
    for row in rows:
        try:
            results += records.add([row])
        except Refusal as refusal:
            results.append(refusal)
    assert [result is None for result in results] == [True, False, True]
    assert subjects(database) == 1


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
def test_a_crash_before_the_commit_leaves_neither(bench: Bench) -> None:
    bench.begin()
    records = DyingRecords(bench.database(), bench.objects.__getitem__)
    writer = bench.writer(records)
    writer.open(bench.clock.now())
    records.dying = True
    with pytest.raises(NotRecordedError):
        exchange(bench, writer, change(subject(1)))
    assert subjects(bench.database()) == 0


def test_a_closed_writer_changes_nothing(bench: Bench) -> None:
    bench.begin()
    database = bench.database()
    writer = bench.writer()
    writer.open(bench.clock.now())
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE writers SET state = 'closed'")
    with pytest.raises(NotRecordedError):
        exchange(bench, writer, change(subject(1)))
    assert subjects(database) == 0


NOTE = "INSERT INTO subjects (id, created)"


def note(number: int) -> Change:
    return Change((), Code.INTERNAL, alone=False, added=(Addition(NOTE, (bytes([number]) * 16, "2026-11")),))


class CountedDatabase:
    """Whether records went the way that costs little."""

    def __init__(self, database: Database) -> None:
        self.database, self.together = database, 0

    def __getattr__(self, name: str) -> object:
        self.together += name == "write_together"
        return getattr(self.database, name)


def test_notes_go_in_with_their_records_the_way_that_costs_little(bench: Bench) -> None:
    bench.begin()
    counted = CountedDatabase(bench.database())
    records = Records(counted, bench.objects.__getitem__)  # type: ignore[arg-type]  # it is one
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", uuid4(), bench.clock.now(), b"{}") for _ in range(3)]
    changes = [(note(1),), (), (note(2), note(3))]
    rows = [writer.row(draft, changes=each) for draft, each in zip(drafts, changes, strict=True)]
    assert records.add(rows) == [None] * 3
    assert (counted.together, subjects(bench.database())) == (1, 3)
    # beside a change that needs more, the same in one transaction
    exchange(bench, writer, Change((subject(4),), Code.SUBJECTS_CHANGED, added=note(5).added))
    assert (counted.together, subjects(bench.database())) == (1, 5)
    assert kinds(bench) == ["exchange"] * 4


def test_a_record_that_is_there_already_adds_no_note(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    draft = writer.draft("exchange", uuid4(), bench.clock.now(), b"{}")
    records = Records(bench.database(), bench.objects.__getitem__)
    assert records.add([writer.row(draft)]) == [None]
    with pytest.raises(NotRecordedError):
        records.add([writer.row(draft, changes=(note(1),))])
    assert subjects(bench.database()) == 0
    # and the connection is as good as before
    again = writer.draft("exchange", uuid4(), bench.clock.now(), b"{}")
    assert records.add([writer.row(again, changes=(note(1),))]) == [None]
    assert subjects(bench.database()) == 1


def test_a_note_that_cannot_be_written_keeps_its_record_out(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    with pytest.raises(NotRecordedError):
        exchange(bench, writer, Change((), Code.INTERNAL, alone=False, added=(*note(1).added, *note(1).added)))
    assert subjects(bench.database()) == 0
    assert kinds(bench) == ["void"]


def test_a_closed_writer_adds_no_note(bench: Bench) -> None:
    bench.begin()
    database = bench.database()
    writer = bench.writer()
    writer.open(bench.clock.now())
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE writers SET state = 'closed'")
    with pytest.raises(NotRecordedError):
        exchange(bench, writer, note(1))
    assert subjects(database) == 0
