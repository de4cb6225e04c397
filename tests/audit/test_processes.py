"""The verdict is the same for one process and several, bit for bit; and memory does not decide what repeats (L11)."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from gateway.audit import repeats
from gateway.audit.audit import audit
from gateway.audit.bundle_check import Anchors, OnceRows
from gateway.audit.files import LogFolder
from gateway.audit.pool import Pool, processes
from gateway.audit.repeats import NONCE_KEPT, child, find_repeated, id_row, message_row, nonce_row, notice_row, told_row
from gateway.audit.spill import Spill
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import canonical_json

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.verdict import Verdict
    from tests.audit.bench import Bench

KEY = "ab" * 32
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


def text(verdict: Verdict) -> bytes:
    return canonical_json(asdict(verdict)) + repr(verdict).encode()


def test_one_process_and_two_say_the_same_of_a_good_log(log: Path, trust: Path) -> None:
    alone, together = audit(log, trust, jobs=1), audit(log, trust, jobs=2)
    assert alone.holds
    assert text(alone) == text(together)


def test_one_process_and_two_say_the_same_of_a_bad_log(bench: Bench, trust: Path, tmp_path: Path) -> None:
    replayed, silent, unknown = bench.one(), bench.one("nirec.verify"), bench.one(kind="refusal", outcome="not_agreed")
    bench.forger.change(silent, lambda evidence: evidence.update(agreement="NONE"))
    bench.forger.change(unknown, lambda evidence: evidence.update(outcome="purpose_not_agreed"))
    last = bench.one("nirec.verify", nth=1)
    last.leaf = replace(last.leaf, exchange_id=replayed.leaf.exchange_id)
    log = bench.forger.write(bench.items, tmp_path / "bad")
    alone, together = audit(log, trust, jobs=1), audit(log, trust, jobs=2)
    assert len(alone.findings) > 2
    assert text(alone) == text(together)


def test_as_many_processes_as_asked_for_and_one_for_a_small_log() -> None:
    assert processes(3, 10) == 3
    assert processes(None, 10) == 1
    assert processes(None, 1_000_000) >= 1


def test_work_comes_back_in_its_order(log: Path) -> None:
    anchors = Anchors(str(uuid4()), LogFolder(log), {}, {}, frozenset())
    rows = [id_row(number, UUID(int=number % 7, version=4), exchange=True) for number in range(40)]
    tasks = [(number, OnceRows(b"".join(rows[: number + 1])) if number % 3 else None) for number in range(40)]
    for jobs in (1, 2):
        with Pool(anchors, jobs) as pool:
            found = list(pool.ordered(iter(tasks)))
        assert [number for number, _ in found] == list(range(40))
        assert [None if part is None else len(part) for _, part in found] == [
            max(0, number + 1 - 7) if number % 3 else None for number in range(40)
        ]


def test_a_process_that_is_ended_from_outside_is_no_verdict(log: Path) -> None:
    anchors = Anchors(str(uuid4()), LogFolder(log), {}, {}, frozenset())

    def tasks() -> object:
        for number in range(64):
            if number == 8:
                assert pool._executor is not None
                for process in list(pool._executor._processes.values()):
                    process.kill()
            yield number, OnceRows(b"")

    with Pool(anchors, 2) as pool, pytest.raises(ChildProcessError):
        list(pool.ordered(tasks()))  # type: ignore[arg-type]  # a generator of pairs


def test_an_id_stands_once_and_ids_of_two_kinds_are_two() -> None:
    one = uuid4()
    rows = id_row(5, one, exchange=True) + id_row(9, uuid4(), exchange=True) + id_row(2, one, exchange=False)
    assert find_repeated(rows, {}) == []
    again = find_repeated(rows + id_row(3, one, exchange=True), {})
    assert [(found.index, found.fault) for found in again] == [(5, Fault.LEAF_REPEATED)]


@pytest.mark.parametrize(
    ("later", "replayed"),
    [
        (timedelta(0), True),
        (NONCE_KEPT - timedelta(microseconds=1), True),
        (NONCE_KEPT, False),
        (-NONCE_KEPT + timedelta(microseconds=1), True),
        (-NONCE_KEPT, False),
    ],
)
def test_a_nonce_is_replayed_within_the_time_that_it_is_remembered(later: timedelta, *, replayed: bool) -> None:
    rows = nonce_row(1, KEY, "n", NOW) + nonce_row(7, KEY, "n", NOW + later)
    assert [found.index for found in find_repeated(rows, {})] == ([7] if replayed else [])
    assert find_repeated(nonce_row(1, KEY, "n", NOW) + nonce_row(7, "cd" * 32, "n", NOW), {}) == []


def test_a_message_id_stands_once_even_within_one_exchange() -> None:
    rows = message_row(4, "urn:a") + message_row(4, "urn:a") + message_row(5, "urn:b")
    assert [(found.index, found.fault) for found in find_repeated(rows, {})] == [(4, Fault.REPLAYED)]


@pytest.mark.parametrize(
    ("noticed", "told", "merged", "found"),
    [
        ("ab" * 32, "ab" * 32, {}, []),
        ("ab" * 32, "cd" * 32, {}, [(3, Fault.SUBJECTS_DIFFER)]),
        ("fe" * 32, "01" * 32, {}, [(3, Fault.SUBJECTS_DIFFER)]),
        # the two became one child between the notice's acceptance and its record
        ("ab" * 32, "cd" * 32, {child("ab" * 32): child("cd" * 32), child("cd" * 32): child("cd" * 32)}, []),
        ("ab" * 32, "cd" * 32, {child("ab" * 32): child("01" * 32)}, [(3, Fault.SUBJECTS_DIFFER)]),
        (None, "cd" * 32, {}, []),
    ],
)
def test_a_delivery_tells_of_its_notice_s_child(
    noticed: str | None, told: str, merged: dict[int, int], found: list[tuple[int, Fault]]
) -> None:
    notice = uuid4()
    # a delivery may stand before its notice, and other notices beside them
    rows = told_row(3, notice, told) + notice_row(4, notice, noticed) + notice_row(5, uuid4(), "ef" * 32)
    assert [(one.index, one.fault) for one in find_repeated(rows, merged)] == found


@pytest.mark.parametrize("expected", [10, 1_000_000, 10**9])
def test_what_repeats_lies_in_one_part_however_many_parts_there_are(expected: int) -> None:
    ids = [uuid4() for _ in range(300)]
    rows = [id_row(number, ids[number % 300], exchange=True) for number in range(600)]
    with Spill(repeats.ROW_SIZE, expected) as spill:
        for row in rows:
            spill.add(row)
        parts = list(spill.parts())
    assert sum(len(part) for part in parts) == 600 * repeats.ROW_SIZE
    assert len(parts) > (1 if expected > 100_000 else 0)
    assert sorted(found.index for part in parts for found in find_repeated(part, {})) == list(range(300, 600))
