from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import NotRecordedError
from gateway.ledger.leaf import KINDS, unpack_leaf
from gateway.ledger.storage import Log, Lookup, Records
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ledger.record import Record
    from gateway.ledger.rows import NewRecord

    from .conftest import Bench

    EvidenceOf = Callable[[Record], dict[str, Any]]


class FailingRecords(Records):
    """Commits that fail before, or after, they hold; by kind of leaf."""

    fail_before: frozenset[int] = frozenset()
    fail_after: frozenset[int] = frozenset()

    def add(self, batch: Sequence[NewRecord]) -> list[Exception | None]:
        if any(record.kind in self.fail_before for record in batch):
            raise OSError("disk full")
        results = super().add(batch)
        if any(record.kind in self.fail_after for record in batch):
            raise OSError("connection lost")
        return results


def failing(bench: Bench) -> FailingRecords:
    return FailingRecords(bench.database(), bench.objects.__getitem__)


def sequence(bench: Bench) -> None:
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()


def test_a_failed_commit_leaves_a_void_leaf_in_its_counter(bench: Bench, evidence: EvidenceOf) -> None:
    bench.begin()
    records = failing(bench)
    writer = bench.writer(records)
    bench.exchange(writer)
    records.fail_before = frozenset({KINDS["exchange"]})
    with pytest.raises(NotRecordedError):
        bench.exchange(writer)
    records.fail_before = frozenset()
    bench.exchange(writer)
    sequence(bench)
    ours = [(leaf, record) for leaf, record in bench.whole_log() if leaf.kind in {"exchange", "void"}]
    assert [(leaf.kind, leaf.counter) for leaf, _ in ours] == [("exchange", 1), ("void", 2), ("exchange", 3)]
    void = evidence(ours[1][1])
    assert void == {
        "v": 1, "kind": "void", "writer": str(ours[0][0].writer), "counter": 2, "reason": "commit failed",
    }  # fmt: skip


def test_a_commit_that_held_although_it_failed_is_recorded(bench: Bench) -> None:
    bench.begin()
    records = failing(bench)
    writer = bench.writer(records)
    writer.open(bench.clock.now())
    records.fail_after = frozenset({KINDS["exchange"]})
    exchange_id = bench.exchange(writer)  # does not raise: the record is there
    sequence(bench)
    kinds = {leaf.exchange_id: leaf.kind for leaf, _ in bench.whole_log()}
    assert kinds[exchange_id] == "exchange"
    assert "void" not in kinds.values()


def test_a_writer_that_cannot_even_void_is_given_up_and_its_gap_named(bench: Bench, evidence: EvidenceOf) -> None:
    bench.begin()
    records = failing(bench)
    writer = bench.writer(records)
    bench.exchange(writer)
    records.fail_before = frozenset({KINDS["exchange"], KINDS["void"]})
    with pytest.raises(NotRecordedError):
        bench.exchange(writer)
    records.fail_before = frozenset()
    bench.exchange(writer)
    sequence(bench)
    sequence(bench)
    opened = bench.whole_log()
    writers = [leaf.writer for leaf, _ in opened if leaf.kind == "exchange"]
    assert len(set(writers)) == 2
    closings = {one["writer"]: one for one in map(evidence, (r for leaf, r in opened if leaf.kind == "closing"))}
    assert closings[str(writers[0])]["highest"] == 1
    assert closings[str(writers[0])]["missing"] == []


def test_an_abandoned_draft_is_void(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    draft = writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}")
    writer.abandon(draft)
    sequence(bench)
    assert [leaf.counter for leaf, _ in bench.whole_log() if leaf.kind == "void"] == [draft.counter]
    assert Lookup(bench.database()).find(KINDS["exchange"], draft.exchange_id) is None


def test_one_exchange_is_recorded_once(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    exchange_id = uuid.uuid4()
    drafts = [writer.draft("exchange", exchange_id, bench.clock.now(), b"{}") for _ in range(2)]
    writer.commit(drafts[0])
    with pytest.raises(NotRecordedError):
        writer.commit(drafts[1])
    found = Lookup(bench.database()).find(KINDS["exchange"], exchange_id)
    assert found is not None
    assert found.leaf == drafts[0].leaf


def test_a_record_whose_object_is_unknown_is_not_recorded(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    draft = writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}")
    with pytest.raises(NotRecordedError):
        writer.commit(draft, objects=frozenset({"00" * 32}))


def test_a_writer_without_period_key_seals_nothing(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer(seals=False)
    draft = writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}")
    with pytest.raises(NotRecordedError) as caught:
        writer.commit(draft)
    assert "cannot seal" in str(caught.value.__cause__)


def test_without_the_month_s_key_nothing_is_recorded(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    missing: dict[int, bytes] = {}
    writer._period_key = missing.__getitem__
    before = Log(bench.database()).open_writers()
    with pytest.raises(NotRecordedError):
        bench.exchange(writer)
    assert Log(bench.database()).open_writers() == before  # no row with every request


def test_a_new_month_is_a_new_writer_and_the_old_one_finishes_its_own(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    late = writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}")
    bench.clock.at = datetime(2026, 12, 1, tzinfo=UTC)
    bench.exchange(writer)
    sequence(bench)  # does not close the old writer: its draft is still on the way
    writer.commit(late)
    bench.clock.at = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)  # the clock steps back
    back = bench.exchange(writer)
    bench.clock.at = datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC)
    sequence(bench)
    sequence(bench)
    opened = bench.whole_log()
    periods = {leaf.exchange_id: leaf.period for leaf, _ in opened if leaf.kind == "exchange"}
    assert sorted(periods.values()) == [202611, 202612, 202612]
    assert periods[back] == 202612
    assert len({leaf.writer for leaf, _ in opened if leaf.kind == "exchange"}) == 2
    assert [leaf.period for leaf, _ in opened if leaf.kind == "opening"] == [202611, 202612]


def test_database_holds_no_plain_evidence(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    bench.exchange(writer, b'{"handle":"NEEDLE-handle"}')
    with bench.database().reading() as connection:
        found = repr([tuple(row) for row in connection.exec_driver_sql("SELECT * FROM records")]).encode()
    found += b"".join(path.read_bytes() for path in bench.folder.glob("db.sqlite*"))
    assert b"NEEDLE" not in found
    assert b"ministry" in found  # the search does find what is clear
    assert unpack_leaf(writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}").leaf).counter == 2


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
def test_a_writer_that_cannot_be_begun_leaves_no_file(bench: Bench) -> None:
    """Each exchange tries again: on a full disk their lock files would be without end."""
    bench.begin()
    records = failing(bench)
    writer = bench.writer(records)
    records.fail_before = frozenset({KINDS["opening"]})
    before = set((bench.folder / "writers").iterdir())
    for _ in range(3):
        with pytest.raises(NotRecordedError):
            bench.exchange(writer)
    assert set((bench.folder / "writers").iterdir()) == before
    records.fail_before = frozenset()
    bench.exchange(writer)
    sequence(bench)
    assert [leaf.kind for leaf, _ in bench.whole_log()].count("exchange") == 1


def test_a_life_is_begun_where_waiting_keeps_nobody(bench: Bench) -> None:
    """In a worker the database is waited for elsewhere; and no lock is held meanwhile that the loop asks for."""
    bench.begin()
    records = failing(bench)
    writer = bench.writer(records)
    waited: list[bool] = []

    class Elsewhere(Threads):
        def blocking(self, work: Callable[[], Any]) -> Any:
            waited.append(writer._lock.locked())
            return work()

    records.waiting = Elsewhere()
    bench.exchange(writer)
    bench.exchange(writer)
    assert waited == [False]


def test_what_stands_after_a_failed_commit_is_asked_where_waiting_keeps_nobody(bench: Bench) -> None:
    """With the server away it is asked for each exchange: a worker's loop that waited would stand still for all."""
    bench.begin()
    elsewhere: list[bool] = []

    class Asked(FailingRecords):
        def leaf_at(self, writer: uuid.UUID, counter: int) -> bytes | None:
            elsewhere.append(waiting.inside)
            return super().leaf_at(writer, counter)

    class Elsewhere(Threads):
        inside = False

        def blocking(self, work: Callable[[], Any]) -> Any:
            self.inside = True
            try:
                return work()
            finally:
                self.inside = False

    records, waiting = Asked(bench.database(), bench.objects.__getitem__), Elsewhere()
    records.waiting = waiting
    writer = bench.writer(records)
    bench.exchange(writer)
    records.fail_before = frozenset({KINDS["exchange"], KINDS["void"]})
    with pytest.raises(NotRecordedError):
        bench.exchange(writer)
    assert elsewhere == [True]
