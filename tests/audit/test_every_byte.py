"""A small log: each byte changed, each record changed, dropped, swapped, repeated in turn; nothing is missed.

In CI every so manieth byte of the longest files; TAMPER_STRIDE=1 tries each (CONTRIBUTING.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.audit.audit import audit
from gateway.audit.bundle_check import Anchors, BundleCheck, Part, Work
from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.opening import DataKeys
from gateway.audit.report import Report
from gateway.audit.tree import Tree
from gateway.audit.trust import load_trust
from gateway.audit.verdict import Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import SEALED_KINDS
from gateway.ledger.note import parse_note
from gateway.ledger.tiles import entries_path, evidence_path, pack_entries, pack_evidence, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.audit.verdict import Finding
    from tests.audit.bench import Bench
    from tests.audit.forge import Forger, Item


def stride(otherwise: int) -> int:
    return int(os.environ.get("TAMPER_STRIDE", str(otherwise)))


#: The first leaves: genesis, opening, and the exchanges and refusals after them.
LEAVES = 6


@dataclass(frozen=True)
class Small:
    """A log of a few leaves, and what changes it."""

    log: Path
    trust: Path

    def spoiled(self, path: Path, step: int) -> Iterator[int]:
        """Changes one byte after the other, each put right again before the next."""
        good = path.read_bytes()
        for at in range(0, len(good), step):
            bad = bytearray(good)
            bad[at] ^= 1 << at % 8
            path.write_bytes(bad)
            yield at
        path.write_bytes(good)

    def files(self, folder: str) -> list[Path]:
        return sorted(path for path in (self.log / folder).rglob("*") if path.is_file())


@pytest.fixture
def small(forger: Forger, tmp_path: Path, trust: Path) -> Small:
    made = Small(forger.write(forger.copy()[:LEAVES], tmp_path / "small"), trust)
    assert audit(made.log, trust).holds
    return made


def test_a_byte_of_the_checkpoint(small: Small) -> None:
    missed = [at for at in small.spoiled(small.log / "checkpoint", stride(17)) if audit(small.log, small.trust).holds]
    assert missed == []


@pytest.mark.parametrize("file", [f"tile/0/000.p/{LEAVES}", entries_path(0, LEAVES)])
def test_a_byte_of_the_tree(small: Small, file: str) -> None:
    """By the very comparison that the audit makes of leaves, tiles and the signed root."""
    checkpoint = parse_note((small.log / "checkpoint").read_bytes()).checkpoint

    def faults() -> tuple[Finding, ...]:
        report = Report()
        bundles = list(Tree(LogFolder(small.log), checkpoint).bundles(report))
        assert sum(len(bundle.leaves) for bundle in bundles) in {0, LEAVES}
        return report.verdict("", first_audit=True).findings

    assert faults() == ()
    assert [at for at in small.spoiled(small.log / file, 1) if not faults()] == []


def test_a_byte_of_an_object(small: Small) -> None:
    """By the very check that the audit makes of each object."""
    objects = small.files("objects")
    assert len(objects) > 5
    for path in objects:
        for at in small.spoiled(path, stride(151)):
            report = Report()
            Objects(LogFolder(small.log)).check([f"objects/{path.name}"], report, lambda _: None)
            assert not report.verdict("", first_audit=True).holds, (path.name, at)


def test_a_byte_of_the_evidence(small: Small, forger: Forger) -> None:
    """By the very check that the audit makes of each bundle, whose verdicts on certificates stay."""
    trust, items = load_trust(small.trust), forger.copy()[:LEAVES]
    checker = BundleCheck(Anchors(str(uuid4()), LogFolder(small.log), trust.roots, trust.periods, frozenset()))
    sealed = tuple(item.leaf.pack() if item.leaf.kind in SEALED_KINDS else None for item in items)
    policies = ((0, items[0].leaf.time, trust.genesis),)
    keys = {writer: forger.data_key(writer) for writer in {item.leaf.writer for item in items[1:]}}
    work = Work(0, evidence_path(0, LEAVES), sealed, policies, keys)
    good = checker.check(work)
    assert isinstance(good, Part)
    assert (good.tally.sealed, good.missing, bool(good.tally.problems)) == (0, [], False)
    plain = sum(4 + len(item.record.pack()) for item in items[:2])
    for at in small.spoiled(small.log / work.file, stride(5)):
        found = checker.check(work)
        assert isinstance(found, Part)
        # the first two records are plain: the main process judges them, against their leaves
        unsealed = at < plain and not _plain_hold(small.log / work.file, items)
        assert found.tally.problems or found.missing or unsealed, at


def _plain_hold(file: Path, items: list[Item]) -> bool:
    try:
        records = unpack_evidence(file.read_bytes())
        for item, stored in zip(items, records, strict=True):
            if item.leaf.kind not in SEALED_KINDS:
                DataKeys({}).record(item.leaf, item.leaf.pack(), stored)
    except (Problem, FormatError):
        return False
    return True


def _swapped(parts: list[bytes], at: int) -> list[bytes]:
    return [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]


CHANGES: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "changed": lambda parts, at: [*parts[:at], parts[at][:-1] + bytes([parts[at][-1] ^ 1]), *parts[at + 1 :]],
    "dropped": lambda parts, at: [*parts[:at], *parts[at + 1 :]],
    "emptied": lambda parts, at: [*parts[:at], b"", *parts[at + 1 :]],
    "swapped": _swapped,
    "repeated": lambda parts, at: [*parts[:at], parts[at], parts[at], *parts[at + 1 :]],
    "repeated over the next": lambda parts, at: [*parts[: at + 1], parts[at], *parts[at + 2 :]],
    "inserted": lambda parts, at: [*parts[:at], bytes(len(parts[at])), *parts[at:]],
}


@pytest.mark.parametrize("which", ["leaves", "records", "both"])
@pytest.mark.parametrize("name", CHANGES)
def test_each_record(small: Small, bench: Bench, forger: Forger, name: str, which: str) -> None:
    """Of the file of leaves, that of records, and of both alike."""
    leaves = [item.leaf.pack() for item in bench.items[:LEAVES]]
    entries, evidence = small.log / entries_path(0, LEAVES), small.log / evidence_path(0, LEAVES)
    records = forger.stored(bench.items[:LEAVES])
    for at in range(LEAVES - 1):
        if which != "records":
            entries.write_bytes(pack_entries(CHANGES[name](leaves, at)))
        if which != "leaves":
            evidence.write_bytes(pack_evidence(CHANGES[name](records, at)))
        assert not audit(small.log, small.trust).holds, at
