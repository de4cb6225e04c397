"""Who was told what about whom, from a copy alone (issue 5, line 5; N3)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from gateway.audit.questions.disclosures import Question, check_shown, find
from gateway.audit.questions.gathering import microseconds
from gateway.audit.questions.standing import NoAnswerError
from gateway.ledger.tiles import entries_path, pack_entries, unpack_entries
from tests.audit.asked import Asked
from tests.audit.gateway_run import Gateway
from tests.audit.test_subject_attacks import ask, birth

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.bench import Bench
    from tests.audit.forge import Forger


@pytest.fixture
def asked(log: Path, trust: Path) -> Asked:
    return Asked(log, trust)


def test_a_disclosure_is_told_whole(asked: Asked, forger: Forger) -> None:
    found = asked.find().rows
    released = [item for item in forger.items if item.evidence.get("operation") == "nirec.verify"]
    released = [item for item in released if item.leaf.kind == "exchange"]
    assert [str(row.exchange_id) for row in found] == [item.evidence["exchange_id"] for item in released]
    row, item = found[0], released[0]
    assert (row.terms.party, row.terms.agreement, row.terms.purpose) == ("ministry", "ENT-2026-02", "admissibilite")
    assert row.terms.fields == ("handle", "outcome")
    assert (row.terms.policy, row.terms.contract) == (item.evidence["policy"], item.evidence["contract"]["sha256"])
    assert (row.at, forger.items[row.index].leaf) == (microseconds(item.leaf.time), item.leaf)
    assert row.subject is not None
    assert [{"ledger": row.subject.ledger, "handle": row.subject.handle}] == item.evidence["subjects"]


def test_an_answer_about_nobody_that_tells_a_personal_field_is_a_disclosure(asked: Asked) -> None:
    unconfirmed = [row for row in asked.find().rows if row.subject is None]
    assert [(row.terms.fields, row.terms.discloses) for row in unconfirmed] == [(("outcome",), True)]


def test_refusals_and_what_tells_of_nobody_are_there_when_asked_for(asked: Asked) -> None:
    everything = asked.find(everything=True).rows
    outcomes = [row.terms.outcome for row in everything]
    assert outcomes.count("released") == 6
    assert {"not_agreed", "purpose_not_agreed", "upstream_timeout", "replayed"} <= set(outcomes)
    assert {row.terms.operation for row in everything if row.terms.outcome == "released"} == {"echo", "nirec.verify"}


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ({"party": "ministry"}, 3),
        ({"party": "cooperative"}, 0),
        ({"operation": "nirec.verify"}, 3),
        ({"operation": "echo", "everything": True}, 5),
        ({"purpose": "admissibilite"}, 3),
        ({"purpose": "essai"}, 0),
        ({"field": "handle"}, 2),
        ({"field": "outcome"}, 3),
        ({"agreement": "ENT-2026-02"}, 3),
        ({"agreement": "ENT-2026-01"}, 0),
    ],
)
def test_what_is_asked_for_narrows_the_answer(asked: Asked, question: dict[str, object], count: int) -> None:
    assert len(asked.find(**question).rows) == count


def test_a_window_includes_its_begin_and_not_its_end(asked: Asked) -> None:
    _, parts = asked.rows()
    times = [row.at for row in find(parts, Question()).rows]
    assert [row.at for row in find(parts, Question(since=times[1], until=times[2])).rows] == [times[1]]
    assert [row.at for row in find(parts, Question(until=times[1])).rows] == [times[0]]


def test_a_subject_is_found_by_a_party_s_handle_and_by_the_ledger_s_name(asked: Asked) -> None:
    subject = asked.find().rows[0].subject
    assert subject is not None
    by_handle, by_ledger = (asked.find(subject=name) for name in (subject.handle, subject.ledger))
    assert (by_handle.by_handle, by_ledger.by_handle) == (True, False)
    assert by_handle.rows == by_ledger.rows
    assert len(by_handle.rows) == 2
    assert asked.find(subject="0" * 64).rows == ()


def test_a_name_that_only_lies_across_two_others_is_not_found(asked: Asked) -> None:
    rows = asked.find(field="handle").rows
    handles = "".join(row.subject.handle for row in rows if row.subject)
    assert asked.find(subject=handles[2:66]).rows == ()


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gateway, str, str]:
    """A gateway to which one child was known under two handles, that it made one; and these two."""
    made = Gateway(tmp_path_factory.mktemp("merged"))
    one, other = (ask(made, "expect", reference="2026-1") for _ in range(2))
    ask(made, "expect", reference="2026-9")
    assert birth(made, one, "1" * 13) == one
    ask(made, "merge", handle=one, other_handle=other, reason="duplicate_file")
    made.worker.close()
    made.sequence()
    made.sequence()
    return made, one, other


def test_whoever_asks_by_one_of_two_that_merged_finds_both(merged: tuple[Gateway, str, str], tmp_path: Path) -> None:
    gateway, one, other = merged
    shutil.copytree(gateway.folder / "trust", tmp_path / "trust")
    asked = Asked(gateway.settings.folders.log, tmp_path / "trust")
    found = asked.find(subject=one)
    assert found.rows == asked.find(subject=other).rows
    assert {row.subject.handle for row in found.rows if row.subject} == {one, other}
    assert len({row.exchange_id for row in found.rows}) == 4
    [join] = found.joins
    assert {join.merged, join.survivor} == set(found.names)
    assert join.index == found.rows[-1].index


def test_a_leaf_changed_after_the_audit_is_no_proof_of_an_answer(asked: Asked) -> None:
    standing, parts = asked.rows()
    rows = find(parts, Question()).rows
    check_shown(asked.log, standing.size, rows)
    path = asked.log / entries_path(0, standing.size)
    leaves = unpack_entries(path.read_bytes())
    leaves[rows[0].index] = leaves[rows[1].index]
    path.write_bytes(pack_entries(leaves))
    with pytest.raises(NoAnswerError) as caught:
        check_shown(asked.log, standing.size, rows)
    assert (caught.value.key, caught.value.values["exchange_id"]) == ("leaf_not_shown", rows[0].exchange_id)
    path.unlink()
    with pytest.raises(NoAnswerError):
        check_shown(asked.log, standing.size, rows)


def test_a_log_that_does_not_hold_answers_nothing(bench: Bench, trust: Path, tmp_path: Path) -> None:
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence.update(purpose="autre"))
    log = bench.forger.write(bench.items, tmp_path / "bad")
    with pytest.raises(NoAnswerError) as caught:
        Asked(log, trust).rows()
    assert caught.value.key == "log_fails"
    assert caught.value.verdict is not None
    assert not caught.value.verdict.holds
