from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import LedgerError, NotRecordedError
from gateway.ledger.beginning import open_policy_log
from gateway.ledger.encoding import FormatError, canonical_json
from gateway.ledger.leaf import KINDS, Leaf, binding, unpack_leaf
from gateway.ledger.policy_acts import PolicyLog, read_act
from gateway.ledger.policy_published import PublishedActs
from gateway.ledger.record import Record
from gateway.ledger.rows import StoredLeaf
from gateway.ledger.storage import PolicyRows
from gateway.ledger.tiles import pack_entries, unpack_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Bench

    EvidenceOf = Callable[[Record], dict[str, Any]]

SECOND = b"version: 2\n"
NAME = sha256(SECOND).hexdigest()


@pytest.fixture
def genesis(bench: Bench) -> str:
    return bench.begin()


@pytest.fixture
def log(bench: Bench, genesis: str) -> Iterator[PolicyLog]:
    with opened(bench) as made:
        yield made


def opened(bench: Bench) -> PolicyLog:
    return open_policy_log(
        bench.url,
        published=PublishedActs(bench.directory, bench.key),
        by="command",
        locks=bench.locks,
        clock=bench.clock,
        randomness=bench.randomness,
    )


def published(bench: Bench) -> list[tuple[Leaf, Record]]:
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    return [(leaf, record) for leaf, record in bench.whole_log() if leaf.kind in {"genesis", "policy"}]


def test_acts_are_read_back_in_their_order(log: PolicyLog, genesis: str) -> None:
    log.acts()
    log.propose(SECOND, 2, genesis)
    log.approve(b"one\n", NAME)
    log.refuse(NAME, "approvals_too_few")
    log.activate(NAME, 2, genesis, [b"one\n", b"two\n"])
    found = [(a.act, a.policy, a.version, a.previous, a.approvals, a.reason, a.by) for a in log.acts()]
    assert found == [
        ("genesis", genesis, None, None, (), None, "init"),
        ("proposed", NAME, 2, genesis, (), None, "command"),
        ("approved", NAME, None, None, (b"one\n",), None, "command"),
        ("refused", NAME, None, None, (), "approvals_too_few", "command"),
        ("activated", NAME, 2, genesis, (b"one\n", b"two\n"), None, "command"),
    ]
    assert log.content(NAME) == SECOND
    assert log.content(genesis) == b"version: 1\n"
    assert log.content("00" * 32) is None


def test_each_act_is_a_leaf_and_a_proposal_an_object(
    log: PolicyLog, bench: Bench, genesis: str, evidence: EvidenceOf
) -> None:
    log.acts()
    log.propose(SECOND, 2, genesis)
    log.activate(NAME, 2, genesis, [b"one\n"])
    leaves = published(bench)
    assert evidence(leaves[-1][1]) == {
        "v": 1, "kind": "policy", "act": "activated", "by": "command", "policy": NAME, "version": 2,
        "previous": genesis, "approvals": ["one\n"], "reason": None,
    }  # fmt: skip
    assert (bench.directory / "objects" / NAME).read_bytes() == SECOND
    assert [leaf.time for leaf, _ in leaves[1:]] == [act.at for act in log.acts()][1:]


def test_of_two_activations_one_is_in(log: PolicyLog, bench: Bench, genesis: str) -> None:
    log.acts()
    with opened(bench) as other:
        other.acts()
        other.propose(SECOND, 2, genesis)
        other.activate(NAME, 2, genesis, [b"one\n"])
    acts: list[Callable[[], object]] = [
        lambda: log.activate(NAME, 2, genesis, [b"one\n"]),
        lambda: log.propose(SECOND, 2, genesis),
        lambda: log.approve(b"one\n", NAME),
    ]
    for late in acts:
        with pytest.raises(LedgerError, match="came into force meanwhile"):
            late()
    assert [act.act for act in log.acts()].count("activated") == 1
    log.refuse(NAME, "version_reused")  # now that it has read them, it may go on
    # what was not written left no gap in its writer's counters
    leaves = published(bench)
    assert [leaf.kind for leaf, _ in leaves] == ["genesis", "policy", "policy", "policy"]


def test_an_attempt_is_recorded_once_whoever_sees_it(log: PolicyLog, bench: Bench) -> None:
    assert log.refuse_once(None, "act_malformed")
    assert not log.refuse_once(None, "act_malformed")
    with opened(bench) as other:
        assert not other.refuse_once(None, "act_malformed")
        assert other.refuse_once(NAME, "act_malformed")
        assert other.refuse_once(None, "acts_missing")
    assert [(act.policy, act.reason) for act in log.acts() if act.act == "refused"] == [
        (None, "act_malformed"), (NAME, "act_malformed"), (None, "acts_missing"),
    ]  # fmt: skip


def test_an_act_is_not_written_under_a_writer_that_was_closed(log: PolicyLog, bench: Bench) -> None:
    log.refuse(None, "one")
    with bench.database().writing() as connection:
        connection.exec_driver_sql("UPDATE writers SET state = 'closed'")
    with pytest.raises(NotRecordedError):
        log.refuse(None, "two")
    assert [act.reason for act in log.acts()] == [None, "one"]


def stored(bench: Bench, **changes: object) -> StoredLeaf:
    """A row of a policy's leaf with this evidence, bound rightly."""
    said = {
        "v": 1, "kind": "policy", "act": "activated", "by": "command", "policy": NAME, "version": 2,
        "previous": NAME, "approvals": ["one\n"], "reason": None,
    }  # fmt: skip
    record = Record(bytes(32), canonical_json(said | changes))
    ids = bench.randomness.uuid(), bench.randomness.uuid()
    leaf = Leaf("policy", *ids, 0, bench.clock.now(), binding(record.salt32, record.evidence))
    return StoredLeaf(7, None, leaf.pack(), record.pack())


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "genesis"}, {"act": "decreed"}, {"act": "genesis"}, {"act": None}, {"approvals": None},
        {"approvals": [1]}, {"version": True}, {"version": "2"}, {"policy": 2}, {"previous": []}, {"reason": 1},
        {"v": True}, {"v": 1.0},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_act_is_refused_as_such(changes: dict[str, object], bench: Bench) -> None:
    assert read_act(stored(bench)).act == "activated"
    with pytest.raises(FormatError):
        read_act(stored(bench, **changes))


_LOST = {
    "act": "lost", "policy": None, "version": None, "previous": None, "approvals": ["one\n"], "document": "text\n",
}  # fmt: skip


def test_what_was_recovered_and_lost_is_told_with_its_document(log: PolicyLog, bench: Bench) -> None:
    log.acts()
    log.lose(b"what\n", [b"one\n", b"two\n"])
    act = log.acts()[-1]
    assert (act.act, act.policy, act.approvals, act.document) == ("lost", None, (b"one\n", b"two\n"), b"what\n")
    assert read_act(stored(bench, **_LOST)).document == b"text\n"
    assert read_act(stored(bench, **_LOST | {"act": "recovered", "approvals": []})).document == b"text\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"document": None}, {"document": 1}, {"document": "é"}, {"approvals": []}, {"act": "recovered"},
        {"policy": NAME}, {"version": 2}, {"previous": NAME}, {"reason": "lost"}, {"act": "activated"},
    ],
    ids=str,
)  # fmt: skip
def test_what_tells_of_no_loss_is_refused_as_such(changes: dict[str, object], bench: Bench) -> None:
    with pytest.raises(FormatError):
        read_act(stored(bench, **_LOST | changes))


def test_a_record_that_its_leaf_does_not_bind_is_no_act(bench: Bench) -> None:
    row, other = stored(bench), stored(bench, version=3)
    with pytest.raises(FormatError, match="binds"):
        read_act(replace(row, record=other.record))
    with pytest.raises(FormatError, match="purged"):
        read_act(replace(row, record=None))
    for garbage in (b"", b"\x00" * 80, b"\xff" * 400):
        with pytest.raises(FormatError):
            read_act(replace(row, record=garbage))


def test_the_newest_differs_when_an_act_is_added_or_taken_away(log: PolicyLog, bench: Bench) -> None:
    database = bench.database()
    rows = PolicyRows(database)
    seen = [rows.newest()]
    log.refuse(None, "one")
    seen.append(rows.newest())
    kind = KINDS["policy"]
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM records WHERE kind = ?", (kind,))
    seen.append(rows.newest())
    log.refuse(None, "two")  # takes the number of the row that is gone
    seen.append(rows.newest())
    assert len(set(seen)) == 3
    assert seen[0] == seen[2]
    assert seen[1] != seen[3]


@pytest.mark.parametrize("size", [3, 255, 256, 257, 600])
def test_published_acts_at_the_edges_of_bundles(size: int, log: PolicyLog, bench: Bench, genesis: str) -> None:
    reader = PublishedActs(bench.directory, bench.key)
    assert reader.leaves() == ()
    log.refuse(None, "one")
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    first = reader.leaves()
    assert [unpack_leaf(leaf).kind for leaf in first] == ["genesis", "policy"]
    records = bench.records()
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}") for _ in range(size)]
    records.add([writer.row(draft) for draft in drafts])
    log.refuse(None, "two")
    sequencer.step()
    assert reader.leaves()[:2] == first
    assert len(reader.leaves()) == 3
    assert PublishedActs(bench.directory, bench.key).leaves() == reader.leaves()
    assert reader.object(genesis) == b"version: 1\n"
    assert reader.object("00" * 32) is None


@pytest.mark.parametrize("size", [3, 300])
def test_a_leaf_taken_out_of_the_published_entries_is_missed(size: int, log: PolicyLog, bench: Bench) -> None:
    log.refuse(None, "one")
    writer = bench.writer(bench.records())
    drafts = [writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}") for _ in range(size)]
    bench.records().add([writer.row(draft) for draft in drafts])
    published(bench)
    reader = PublishedActs(bench.directory, bench.key)
    leaf = reader.leaves()[-1]
    bundle = min(path for path in (bench.directory / "tile" / "entries").rglob("*") if path.is_file())
    entries = unpack_entries(bundle.read_bytes())
    entries = entries[-1:] + [entry for entry in entries if entry != leaf]
    bundle.chmod(0o644)
    bundle.write_bytes(pack_entries(entries))
    with pytest.raises(LedgerError):
        PublishedActs(bench.directory, bench.key).leaves()


def test_the_published_log_shows_a_leaf_with_its_record_only(log: PolicyLog, bench: Bench, genesis: str) -> None:
    log.acts()
    leaf = log.activate(NAME, 2, genesis, [b"one\n"])
    assert not log.shows(leaf)
    published(bench)
    assert log.shows(leaf)
    log.acts()
    lost = log.activate(NAME, 3, genesis, [b"one\n"])
    spoilt = log.refuse(None, "one")
    with bench.database().writing() as connection:
        connection.exec_driver_sql("UPDATE records SET record = ? WHERE leaf = ?", (b"0", spoilt))
        connection.exec_driver_sql("DELETE FROM records WHERE leaf = ?", (lost,))
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    assert PublishedActs(bench.directory, bench.key).leaves()[-1] == spoilt
    assert not log.shows(spoilt)
    assert not log.shows(lost)


def test_a_command_reads_the_acts_in_the_order_of_the_published_log(log: PolicyLog, bench: Bench) -> None:
    for word in ("one", "two", "three"):
        log.refuse(None, word)
    published(bench)
    log.refuse(None, "four")
    with bench.database().writing() as connection:
        connection.exec_driver_sql("UPDATE records SET id = -id WHERE kind = ?", (KINDS["policy"],))
    assert [act.reason for act in log.acts()] == [None, "one", "two", "three", "four"]
    with bench.database().writing() as connection:
        connection.exec_driver_sql("DELETE FROM records WHERE id = (SELECT max(id) FROM records WHERE id < 0)")
    with pytest.raises(LedgerError, match="lacks 1 of the 4 published"):
        log.acts()


@pytest.mark.parametrize("size", [254, 255, 256, 300])
def test_a_published_record_is_found_at_the_edges_of_bundles(size: int, log: PolicyLog, bench: Bench) -> None:
    records = bench.records()
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}") for _ in range(size)]
    records.add([writer.row(draft) for draft in drafts])
    leaf = log.refuse(None, "one")
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    assert log.shows(leaf)
    with bench.database().writing() as connection:
        connection.exec_driver_sql("UPDATE records SET record = ? WHERE leaf = ?", (b"0", leaf))
    assert [act.reason for act in log.acts()] == [None, "one"]
