"""The audit tells evidence that was destroyed by leave from evidence that is lost (L9)."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from gateway.audit.ancestry import Ancestry
from gateway.audit.destruction import Destructions
from gateway.audit.report import Report
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.destruction import destruction_evidence
from gateway.ledger.leaf import Leaf
from gateway.ledger.merkle import EMPTY_ROOT, leaf_hash
from gateway.ledger.note import Checkpoint
from gateway.ledger.tiles import WIDTH, Edge, hashes_path
from tests.policy.made import NOW, first
from tests.policy.test_destruction import PERIOD, approve, document, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.audit.files import Listing
    from gateway.audit.policies import Policies
    from gateway.ledger.tiles import Tile
    from gateway.model import LeafKind
    from gateway.policy.judge import InForce

THEN = datetime(PERIOD // 100, PERIOD % 100, 15, tzinfo=UTC)


@dataclass
class History:
    """The policies of a log."""

    history: tuple[InForce, ...]


class Grown:
    """A log's hashes, whose leaves nobody needs here, up to SIZE."""

    listed = True

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.roots: list[bytes] = [EMPTY_ROOT]
        edge = Edge()
        for index in range(SIZE):
            filled = list(edge.append(leaf_hash(index.to_bytes(4, "big"))))
            self._keep(filled)
            self.roots.append(edge.tree().root())
        self._keep(edge.partials())

    def _keep(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        self.files.update({hashes_path(tile.level, tile.index, tile.width): data for tile, data in tiles})

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise Problem(Fault.FILE_MISSING, "the file is not there", file=path)
        return self.files[path]

    def listing(self, size: int) -> Listing:
        raise NotImplementedError


SIZE = 1000
GROWN = Grown()
#: What an auditor saw before the destruction was recorded.
SEEN = 900


def seen(signer: str = "auditor-1", **changes: Any) -> bytes:
    """An auditor's word about this log."""
    size = changes.get("end", SEEN)
    return verdict(signer, **({"end": size, "root": GROWN.roots[min(size, SIZE)].hex()} | changes))


class Case:
    """A log of three full bundles and more, and what an audit of it says."""

    def __init__(self) -> None:
        self.force = first()[1]
        self.report = Report()
        self.folder = copy(GROWN)
        ancestry = Ancestry(self.folder, Checkpoint("log", SIZE, GROWN.roots[SIZE]))
        self.audit = Destructions(cast("Policies", History((self.force,))), self.report, ancestry)

    def leaf(self, kind: LeafKind = "exchange", at: datetime = THEN) -> Leaf:
        return Leaf(kind, uuid4(), uuid4(), 1, at, bytes(32))

    def gone(self, *indices: int, kind: LeafKind = "exchange", at: datetime = THEN) -> list[Leaf]:
        leaves = [self.leaf(kind, at) for _ in indices]
        for index, leaf in zip(indices, leaves, strict=True):
            self.audit.missing(index, leaf)
        return leaves

    def destruction(self, index: int = 900, at: datetime = NOW, **changes: Any) -> None:
        signed = changes.pop("verdict_", seen())
        what = document(signed, **{name: value for name, value in changes.items() if name != "names"})
        names = changes.get("names", ("officer-1", "officer-3"))
        evidence = destruction_evidence(what, signed, approve(self.force, what, names))
        self.audit.take(index, self.leaf("destruction", at), evidence)

    def findings(self) -> list[tuple[Fault, str, int | None]]:
        self.audit.finish()
        found = self.report.verdict("", first_audit=False).findings
        return [(Fault(item.code), item.file, item.index) for item in found]


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_is_gone_by_leave_is_counted_and_is_no_finding(case: Case) -> None:
    case.gone(3, 4, 300)
    case.gone(767, kind="handover")
    case.destruction()
    assert case.findings() == []
    (done,) = case.report.verdict("", first_audit=False).facts.destructions
    assert (done.index, done.period, done.first, done.end, done.records) == (900, PERIOD, 0, 3 * WIDTH, 4)
    assert (done.officers, done.auditor) == (("officer-1", "officer-3"), "auditor-1")
    assert (done.due, done.at) == ("2026-10-01T00:00:00.000000Z", "2026-11-23T02:40:00.000000Z")


def test_each_of_two_destructions_has_its_own_count(case: Case) -> None:
    case.gone(3, 300, 301)
    case.destruction(end=WIDTH)
    case.destruction(901, first=WIDTH)
    assert case.findings() == []
    assert [done.records for done in case.report.verdict("", first_audit=False).facts.destructions] == [1, 2]


def test_what_is_gone_without_leave_is_named(case: Case) -> None:
    lost = case.gone(300, 3, 5)
    assert case.findings() == [
        (Fault.RECORD_MISSING, "evidence/000", 3),
        (Fault.RECORD_MISSING, "evidence/001", 300),
    ]
    found = case.report.verdict("", first_audit=False).findings
    assert [item.exchange_id for item in found] == [str(lost[1].exchange_id), str(lost[0].exchange_id)]


def test_a_destruction_covers_its_range_and_its_period_and_no_more(case: Case) -> None:
    case.gone(3, 3 * WIDTH)
    case.gone(4, at=THEN + timedelta(days=31))
    case.destruction()
    assert case.findings() == [
        (Fault.RECORD_MISSING, "evidence/000", 4),
        (Fault.RECORD_MISSING, "evidence/003", 3 * WIDTH),
    ]


_UNLAWFUL: dict[str, tuple[dict[str, Any], Fault]] = {
    "by_too_few": ({"names": ("officer-1",)}, Fault.DESTRUCTION_NOT_APPROVED),
    "by_one_twice": ({"names": ("officer-1", "officer-1")}, Fault.DESTRUCTION_NOT_APPROVED),
    "by_nobody": ({"names": ()}, Fault.DESTRUCTION_NOT_APPROVED),
    "by_a_stranger": ({"names": ("officer-1", "last-1")}, Fault.DESTRUCTION_NOT_APPROVED),
    "not_due": ({"period": 202611, "due": datetime(2031, 12, 1, tzinfo=UTC)}, Fault.DESTRUCTION_TOO_EARLY),
    "another_date": ({"due": datetime(2026, 9, 1, tzinfo=UTC)}, Fault.DESTRUCTION_MALFORMED),
    "on_no_auditor_s_word": ({"verdict_": seen("officer-1")}, Fault.DESTRUCTION_VERDICT_DIFFERS),
    "on_a_word_about_less": ({"verdict_": seen(end=500)}, Fault.DESTRUCTION_VERDICT_DIFFERS),
    "on_a_word_about_another_tree": ({"verdict_": seen(root="c" * 64)}, Fault.DESTRUCTION_VERDICT_DIFFERS),
    "on_a_word_about_a_shorter_tree": (
        {"verdict_": seen(root=GROWN.roots[SEEN - 1].hex())},
        Fault.DESTRUCTION_VERDICT_DIFFERS,
    ),
    "on_a_word_about_more_than_was_there": ({"verdict_": seen(end=SEEN + 1)}, Fault.DESTRUCTION_VERDICT_DIFFERS),
    "on_a_word_about_more_than_there_is": (
        {"verdict_": seen(end=SIZE + 1)},
        Fault.DESTRUCTION_VERDICT_DIFFERS,
    ),
    "of_another_verdict": ({"verdict": "e" * 64}, Fault.DESTRUCTION_VERDICT_DIFFERS),
    "of_what_comes_after_it": ({"index": 3 * WIDTH - 1}, Fault.DESTRUCTION_MALFORMED),
    "under_no_policy": ({"at": NOW - timedelta(days=1)}, Fault.DESTRUCTION_MALFORMED),
}


@pytest.mark.parametrize("word", _UNLAWFUL)
def test_a_destruction_that_was_not_allowed_explains_nothing(case: Case, word: str) -> None:
    changes, fault = _UNLAWFUL[word]
    at = datetime(2026, 11, 5, tzinfo=UTC) if changes.get("period") == 202611 else THEN
    case.gone(3, at=at)
    with pytest.raises(Problem) as problem:
        case.destruction(**changes)
    assert problem.value.fault is fault
    assert case.findings() == [(Fault.DESTROYED_WITHOUT_LEAVE, "evidence/000", 3)]
    assert case.report.verdict("", first_audit=False).facts.destructions == ()


@pytest.mark.parametrize("change", ["gone", "another"])
def test_a_verdict_that_the_log_s_hashes_do_not_show_allows_nothing(case: Case, change: str) -> None:
    path = hashes_path(0, 3, SIZE - 3 * WIDTH)
    others = {path: bytes(len(GROWN.files[path]))} if change == "another" else {}
    case.folder.files = {name: data for name, data in GROWN.files.items() if name != path} | others
    with pytest.raises(Problem) as problem:
        case.destruction()
    assert problem.value.fault is Fault.DESTRUCTION_VERDICT_DIFFERS


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"{}",
        b'{"approvals":[],"document":"","kind":"destruction","v":1,"verdict":""}',
        b'{"approvals":[],"document":"","kind":"destruction","v":true,"verdict":""}',
        b'{"approvals":[],"document":"","kind":"destruction","v":1.0,"verdict":""}',
        b'{"approvals":"","document":"","kind":"destruction","v":1,"verdict":""}',
        b'{"approvals":[1],"document":"","kind":"destruction","v":1,"verdict":""}',
        b'{"approvals":[],"document":"\xc3\xa9","kind":"destruction","v":1,"verdict":""}',
        b'{"approvals":[],"document":"","kind":"handover","v":1,"verdict":""}',
        b'{"approvals":[],"document":"","kind":"destruction","v":1}',
    ],
)
def test_evidence_that_is_none_is_a_finding(case: Case, evidence: bytes) -> None:
    with pytest.raises(Problem) as problem:
        case.audit.take(900, case.leaf("destruction", NOW), evidence)
    assert problem.value.fault is Fault.DESTRUCTION_MALFORMED
