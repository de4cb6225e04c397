"""Counters that are still on their way, and those that never came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from gateway.audit.evidence_schema import Closing
from gateway.audit.report import Report
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.audit.writers import IN_FLIGHT, Writers
from gateway.ledger.leaf import Leaf

WRITER, OTHER = uuid4(), uuid4()
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def leaf(counter: int, seconds: float = 0, *, writer: object = WRITER, kind: str = "void") -> Leaf:
    at = START + timedelta(seconds=seconds)
    return Leaf(kind, uuid4(), writer, counter, at, bytes(32))  # type: ignore[arg-type]  # a test's shorthand


def judged(*leaves: Leaf) -> tuple[list[Fault], set[Unproven]]:
    writers, report = Writers(), Report()
    for one in leaves:
        writers.leaf(one, "evidence/000")
    writers.finish(report)
    verdict = report.verdict("", first_audit=False)
    return [finding.code for finding in verdict.findings], set(verdict.unproven)


def test_counters_out_of_order_are_no_gap() -> None:
    faults, unproven = judged(leaf(1), leaf(0), leaf(2))
    assert faults == []
    assert Unproven.COUNTERS_IN_FLIGHT not in unproven


def test_gap_at_the_tail_of_an_open_writer_is_unproven() -> None:
    faults, unproven = judged(leaf(0), leaf(2, 1), leaf(3, 1 + IN_FLIGHT.total_seconds()))
    assert faults == []
    assert Unproven.COUNTERS_IN_FLIGHT in unproven


def test_counter_gap_past_the_promise() -> None:
    late = 1.1 + IN_FLIGHT.total_seconds()
    faults, _ = judged(leaf(0), leaf(2, 1), leaf(0, late, writer=OTHER))
    assert faults == [Fault.COUNTER_GAP]


def test_one_writer_in_two_periods() -> None:
    with pytest.raises(Problem) as caught:
        judged(leaf(0), leaf(1, 30 * 86_400))
    assert caught.value.fault is Fault.WRITER_INVALID


def test_opening_in_the_middle_of_a_writer() -> None:
    with pytest.raises(Problem) as caught:
        judged(leaf(0), leaf(1, kind="opening"))
    assert caught.value.fault is Fault.WRITER_INVALID


def test_counter_as_high_as_it_can_be_costs_no_time() -> None:
    writers, report = Writers(), Report()
    highest = (1 << 64) - 1
    writers.leaf(leaf(0), "evidence/000")
    writers.leaf(leaf(highest), "evidence/000")
    end = leaf(0, writer=OTHER, kind="closing")
    writers.leaf(end, "evidence/000")
    writers.close(end, Closing(v=1, kind="closing", writer=str(WRITER), highest=highest, missing=()))
    writers.finish(report)
    assert [finding.code for finding in report.verdict("", first_audit=False).findings] == [Fault.COUNTER_GAP]
