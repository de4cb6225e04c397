"""The index: of one audited checkpoint, sealed to the period's key, extended or made again, never believed blindly."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.files import LogFolder
from gateway.audit.questions.index import Indexer
from gateway.audit.questions.rows import Row, Rows, Subject, Terms
from gateway.audit.questions.sealing import PartSeal
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.questions.store import Head, IndexFolder, Part
from gateway.audit.questions.walk import CopyChangedError, Walk
from gateway.audit.trust import load_trust
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import verify_note
from gateway.system import SystemClock, SystemRandomness
from tests.audit.asked import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.forge import Forger


@pytest.fixture
def asked(log: Path, trust: Path) -> Asked:
    return Asked(log, trust)


def part_of(asked: Asked) -> Path:
    [part] = asked.index.glob("[0-9]*.*")
    return part


def test_a_log_that_did_not_grow_is_not_audited_again(asked: Asked) -> None:
    first, rows = asked.rows()
    assert asked.steps == {"objects", "entries", "index"}
    again, same = asked.rows()
    assert asked.steps == set()
    assert (first.fresh, again.fresh) == (True, False)
    assert (again.size, again.root, again.audited_at) == (first.size, first.root, first.audited_at)
    assert [content.pack() for content in rows.values()] == [content.pack() for content in same.values()]


def test_what_the_audit_could_not_prove_is_said_again(asked: Asked) -> None:
    first, again = asked.rows()[0], asked.rows()[0]
    assert "first_audit" in first.unproven
    assert again.unproven == first.unproven


def test_a_log_that_grew_is_audited_and_its_index_extended(
    asked: Asked, forger: Forger, trust: Path, tmp_path: Path
) -> None:
    short = forger.write(forger.copy()[:12], tmp_path / "short")
    before, few = asked.rows(short)
    part = part_of(asked)
    after, grown = asked.rows()
    assert (before.size, after.size) == (12, len(forger.items))
    assert not part.exists()
    shutil.rmtree(asked.index)
    anew = asked.rows()[1]
    assert sum(map(len, few.values())) < sum(map(len, grown.values()))
    assert {period: rows.pack() for period, rows in grown.items()} == {p: rows.pack() for p, rows in anew.items()}


def test_an_older_copy_is_told_from_the_log_that_was_indexed(asked: Asked, forger: Forger, tmp_path: Path) -> None:
    asked.rows()
    with pytest.raises(NoAnswerError) as caught:
        asked.rows(forger.write(forger.copy()[:12], tmp_path / "short"))
    assert caught.value.key == "copy_older_than_index"


def test_another_log_of_the_same_key_is_not_the_one_that_was_indexed(
    asked: Asked, forger: Forger, tmp_path: Path
) -> None:
    items = forger.copy()[:12]
    asked.rows(forger.write(items, tmp_path / "one"))
    longer = forger.copy()
    longer[7], longer[8] = longer[8], longer[7]
    with pytest.raises(NoAnswerError) as caught:
        asked.rows(forger.write(longer, tmp_path / "other"))
    assert caught.value.key == "not_the_indexed_log"


def test_the_index_holds_nothing_in_the_clear(asked: Asked) -> None:
    found = asked.find().rows
    written = b"".join(path.read_bytes() for path in asked.index.iterdir())
    assert found
    for row in found:
        names = [row.terms.agreement.encode(), row.exchange_id.bytes, str(row.exchange_id).encode(), row.leaf_hash]
        if row.subject is not None:
            names += [bytes.fromhex(row.subject.handle), row.subject.ledger.encode()]
        assert [name for name in names if name in written] == []
    assert asked.index.stat().st_mode & 0o077 == 0
    assert [path.name for path in asked.index.iterdir() if path.stat().st_mode & 0o077] == []


def test_an_index_expires_with_its_period(asked: Asked, forger: Forger) -> None:
    asked.rows()
    part, period = part_of(asked), forger.items[0].leaf.period
    key = asked.trust / "periods" / f"{period}.key"
    kept = key.read_bytes()
    key.unlink()
    standing, rows = asked.rows()
    assert not part.exists()
    assert standing.expired == (period,)
    assert rows == {}
    assert standing.sealed == ((period, 16),)
    key.write_bytes(kept)
    again, rows = asked.rows()
    assert (again.sealed, again.fresh) == ((), True)
    assert len(rows[period]) == 16


@pytest.mark.parametrize("name", ["head", "part"])
def test_an_index_that_somebody_changed_is_made_again(asked: Asked, name: str) -> None:
    _, rows = asked.rows()
    path = asked.index / "head.json" if name == "head" else part_of(asked)
    data = path.read_bytes()
    for at in range(0, len(data), max(1, len(data) // 7)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        standing, again = asked.rows()
        assert standing.fresh, at
        assert [content.pack() for content in again.values()] == [content.pack() for content in rows.values()]


def test_a_head_that_claims_more_than_was_indexed_is_not_believed(asked: Asked, forger: Forger, tmp_path: Path) -> None:
    """Else rows would be missing from an answer, and nobody would know."""
    asked.rows(forger.write(forger.copy()[:12], tmp_path / "short"))
    head = asked.index / "head.json"
    said = json.loads(head.read_bytes())
    note = (asked.log / "checkpoint").read_text(encoding="utf-8")
    head.write_text(
        json.dumps(said | {"note": note}, sort_keys=True, separators=(",", ":"), ensure_ascii=False), encoding="utf-8"
    )
    standing, rows = asked.rows()
    assert standing.fresh
    assert sum(map(len, rows.values())) == 16


def test_an_older_part_in_the_place_of_a_newer_one_is_not_believed(
    asked: Asked, forger: Forger, tmp_path: Path
) -> None:
    asked.rows(forger.write(forger.copy()[:12], tmp_path / "short"))
    older = part_of(asked).read_bytes()
    _, rows = asked.rows()
    part_of(asked).write_bytes(older)
    standing, again = asked.rows()
    assert standing.fresh
    assert [content.pack() for content in again.values()] == [content.pack() for content in rows.values()]


def test_a_walk_ends_at_the_root_that_was_audited(asked: Asked, trust: Path) -> None:
    """What changed between the audit and the reading for the index is no part of an answer."""
    anchors = load_trust(trust)
    checkpoint = verify_note((asked.log / "checkpoint").read_bytes(), anchors.log_key)
    folder = LogFolder(asked.log)
    assert len(list(Walk(folder, checkpoint, anchors.periods).leaves())) == checkpoint.size
    with pytest.raises(CopyChangedError):
        list(Walk(folder, replace(checkpoint, root=bytes(32)), anchors.periods).leaves())


def test_destroyed_evidence_is_counted_and_leaves_no_row(
    asked: Asked, forger: Forger, trust: Path, tmp_path: Path
) -> None:
    """Whether it was lawful is the audit's to say, which comes before."""
    items = forger.copy()
    before = Indexer(asked.log, trust, asked.index, SystemClock(), SystemRandomness())
    rows, parts = gathered(before, asked.log, trust)
    [period] = rows
    chosen = next(item for item in items if item.leaf.kind == "exchange")
    chosen.stored = b""
    log = forger.write(items, tmp_path / "destroyed")
    fewer, counted = gathered(Indexer(log, trust, asked.index, SystemClock(), SystemRandomness()), log, trust)
    assert (parts[period].destroyed, counted[period].destroyed) == (0, 1)
    assert counted[period].leaves == parts[period].leaves
    assert len(fewer[period]) == len(rows[period]) - 1


@pytest.mark.parametrize("indexed", [12, None], ids=["since", "before"])
def test_a_log_with_a_destruction_is_read_anew_when_it_grew(
    asked: Asked, forger: Forger, trust: Path, tmp_path: Path, indexed: int | None
) -> None:
    """The destruction's leaf comes first, its records go later: rows from before may be of what is gone by now."""
    items = forger.copy()
    forger.append(items, "destruction")
    log = forger.write(items, tmp_path / "log")
    indexer = Indexer(log, trust, asked.index, SystemClock(), SystemRandomness())
    period = items[0].leaf.period
    size = indexed or len(items)
    tree = CompactRange()
    for item in items[:size]:
        tree.append(leaf_hash(item.leaf.pack()))
    stale, whole = {period: Rows()}, gathered(indexer, log, trust)
    head = Head("", size, tree.root().hex(), "", "", (), 0, {period: Part(99, 0)})
    checkpoint = verify_note((log / "checkpoint").read_bytes(), load_trust(trust).log_key)
    rows, parts = indexer._extended(checkpoint, head, stale, lambda _: None)
    assert (parts[period], len(rows[period])) == (whole[1][period], len(whole[0][period]))
    with pytest.raises(NoAnswerError):
        indexer._extended(checkpoint, replace(head, root="0" * 64), stale, lambda _: None)


def test_under_other_anchors_an_index_is_audited_again(asked: Asked) -> None:
    asked.rows()
    roots = asked.trust / "roots"
    (roots / "ministry.pem").write_bytes((roots / "cooperative.pem").read_bytes())
    with pytest.raises(NoAnswerError) as caught:
        asked.rows()
    assert caught.value.key == "log_fails"


def gathered(indexer: Indexer, log: Path, trust: Path) -> tuple[dict[int, Rows], dict[int, Part]]:
    checkpoint = verify_note((log / "checkpoint").read_bytes(), load_trust(trust).log_key)
    return indexer._extended(checkpoint, None, {}, lambda _: None)


def test_an_index_never_lies_inside_the_log(asked: Asked) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Indexer(asked.log, asked.trust, asked.log / "objects" / "index", SystemClock(), SystemRandomness())
    assert caught.value.key == "index_in_log"


def test_a_part_opens_under_its_own_period_key_and_log_alone() -> None:
    sealed = PartSeal(b"k" * 96, 202611, "log.example").seal(b"n" * 12, b"rows")
    assert PartSeal(b"k" * 96, 202611, "log.example").open(sealed) == b"rows"
    for other in (
        PartSeal(b"j" * 96, 202611, "log.example"),
        PartSeal(b"k" * 96, 202612, "log.example"),
        PartSeal(b"k" * 96, 202611, "log.other"),
    ):
        with pytest.raises(FormatError):
            other.open(sealed)


def test_each_period_goes_for_itself(tmp_path: Path) -> None:
    keys = {period: bytes([period % 100]) * 96 for period in (202610, 202611)}

    def store(*periods: int) -> IndexFolder:
        chosen = {period: keys[period] for period in periods}
        return IndexFolder(tmp_path / "index", "log.example", chosen, SystemRandomness())

    subject = Subject("a" * 64, "b" * 64)
    terms = Terms("exchange", "ministry", "o", "p", "E", "c", "h", "released", ("f",), discloses=True)
    rows = {period: Rows() for period in keys}
    for index, period in enumerate(keys):
        rows[period].append(Row(index, index, uuid4(), bytes(32), terms, subject))
    parts = {period: Part(1, 0) for period in keys}
    store(*keys).write(Head("note", 2, "0" * 64, "anchors", "2026-11-23T00:00:00Z", (), 0, parts), rows)

    later = store(202611)
    assert later.expire() == (202610,)
    head = later.head()
    assert head is not None
    assert {period: len(kept) for period, kept in later.rows(head).items()} == {202611: 1}
    later.write(replace(head, note="grown"), {})
    again = later.head()
    assert again is not None
    assert again.note == "grown"
    # with its key back, what is gone is not taken for nothing
    assert store(*keys).head() is None
    assert store().head() is None


_NAME = st.binary(min_size=32, max_size=32).filter(any)
_TERMS = st.builds(
    Terms,
    kind=st.just("exchange"),
    party=st.sampled_from(["ministry", "cooperative"]),
    operation=st.text(max_size=9),
    purpose=st.text(max_size=9),
    agreement=st.just("E"),
    contract=st.just("c"),
    policy=st.just("p"),
    outcome=st.just("released"),
    fields=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    discloses=st.booleans(),
)
_SUBJECT = st.builds(Subject, _NAME.map(bytes.hex), _NAME.map(bytes.hex), st.sampled_from([None, "survivor", "merged"]))
_ROW = st.builds(
    Row,
    index=st.integers(0, 1 << 40),
    at=st.integers(0, 1 << 52),
    exchange_id=st.uuids(version=4),
    leaf_hash=_NAME,
    terms=_TERMS,
    subject=st.none() | _SUBJECT,
)


@settings(max_examples=50)
@given(st.lists(_ROW, max_size=9))
def test_rows_come_back_as_they_were_packed(rows: list[Row]) -> None:
    columns = Rows()
    for row in rows:
        columns.append(row)
    read = Rows.unpack(columns.pack())
    assert [read[at] for at in range(len(read))] == rows
    for row in rows:
        read.append(row)
    assert len(read) == 2 * len(rows)
    for cut in (b"", b"x"):
        with pytest.raises(FormatError):
            Rows.unpack((columns.pack() + cut)[: None if cut else -1])
