"""Subjects over time, as the audit follows them: roles, merges, refusals that only such operations have (N3)."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.verdict import Fault
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.model import Released

#: Operation -> path and agreement of the ministry's.
TERMS = {
    "expect": ("/v1/subjects", "ENT-2026-06"),
    "birth": ("/v1/subjects/births", "ENT-2026-07"),
    "merge": ("/v1/subjects/merges", "ENT-2026-08"),
}


def ask(gateway: Gateway, operation: str, **fields: str) -> str:
    """The handle of the answer, or the code of its refusal."""
    target, agreement = TERMS[operation]
    if operation != "merge":
        fields["salt"] = b64encode(gateway.randomness.bytes(16)).decode()
    key = str(gateway.randomness.uuid())
    request = gateway.sign("ministry", target, fields, agreement=agreement, purpose="admissibilite", key=key)
    answer: Released = gateway.send("ministry", request)
    content: dict[str, str] = json.loads(answer.body)
    return content.get("handle") or content["code"]


def birth(gateway: Gateway, handle: str, nirec: str) -> str:
    person = {"family_name": "Fictif", "given_names": "Camille", "birth_date": "2024-02-29"}
    return ask(gateway, "birth", handle=handle, nirec=nirec, **person)


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """A gateway to which children were expected, born and merged, and all of its refusals of such."""
    made = Gateway(tmp_path_factory.mktemp("years"))
    one, other, third = (ask(made, "expect", reference="2026-1") for _ in range(3))
    assert birth(made, one, "1" * 13) == one
    stays = ask(made, "merge", handle=one, other_handle=other, reason="duplicate_file")
    assert stays in {one, other}
    assert ask(made, "merge", handle=other, other_handle=third, reason="duplicate_file") in {stays, third}
    fourth = ask(made, "expect", reference="2026-2")
    assert birth(made, fourth, "1" * 13) == "merge_needed"
    assert birth(made, fourth, "1" + "2" * 12) == fourth
    assert ask(made, "merge", handle=one, other_handle=fourth, reason="duplicate_file") == "merge_refused"
    assert ask(made, "merge", handle=one, other_handle="0" * 64, reason="new_number") == "handle_unknown"
    assert birth(made, "0" * 64, "1" * 13) == "handle_unknown"
    made.worker.close()
    made.sequence()
    made.sequence()
    return made


@pytest.fixture
def bench(years: Gateway, tmp_path: Path) -> Bench:
    shutil.copytree(years.folder / "trust", tmp_path / "trust")
    return Bench(Forger(years), tmp_path / "forged", tmp_path / "trust")


def test_a_log_of_years_holds(bench: Bench) -> None:
    assert bench.faults() == set()
    first = bench.one("subject.merge").evidence["subjects"]
    assert [subject["role"] for subject in first] == ["survivor", "merged"]
    assert len(bench.one("subject.birth").evidence["subjects"]) == 1


def _swap(subjects: list[dict[str, str]]) -> None:
    subjects[0]["role"], subjects[1]["role"] = subjects[1]["role"], subjects[0]["role"]


_FORGED: dict[str, tuple[str, Callable[[list[dict[str, str]]], Any], Fault]] = {
    "merge_of_nobody": ("subject.merge", lambda subjects: subjects.clear(), Fault.FIELDS_NOT_AGREED),
    "merge_without_roles": (
        "subject.merge",
        lambda subjects: [subject.pop("role") for subject in subjects],
        Fault.SUBJECTS_DIFFER,
    ),
    "roles_the_wrong_way_round": ("subject.merge", _swap, Fault.SUBJECTS_DIFFER),
    "merged_with_itself": (
        "subject.merge",
        lambda subjects: subjects[1].update(ledger=subjects[0]["ledger"]),
        Fault.SUBJECTS_DIFFER,
    ),
    "too_many_at_once": (
        "subject.merge",
        lambda subjects: subjects.extend(
            {"ledger": f"{n:064}", "handle": f"{n:064}", "role": "merged"} for n in range(3)
        ),
        Fault.SUBJECTS_DIFFER,
    ),
    "two_expected_at_once": (
        "subject.expect",
        lambda subjects: subjects.append({"ledger": "0" * 64, "handle": "1" * 64}),
        Fault.SUBJECTS_DIFFER,
    ),
    "role_of_who_is_alone": (
        "subject.expect",
        lambda subjects: subjects[0].update(role="survivor"),
        Fault.SUBJECTS_DIFFER,
    ),
    "role_that_is_none": (
        "subject.expect",
        lambda subjects: subjects[0].update(role=None),  # type: ignore[call-overload]  # what is forged
        Fault.EVIDENCE_MALFORMED,
    ),
    "another_role": (
        "subject.expect",
        lambda subjects: subjects[0].update(role="parent"),
        Fault.EVIDENCE_MALFORMED,
    ),
}


@pytest.mark.parametrize("case", _FORGED)
def test_subjects_that_such_an_exchange_does_not_have(bench: Bench, case: str) -> None:
    operation, change, fault = _FORGED[case]
    bench.forger.change(bench.one(operation), lambda evidence: change(evidence["subjects"]))
    assert bench.faults() == {fault}


def test_a_merge_undone_by_another(bench: Bench) -> None:
    """The second merge is told as one whose survivor is whom the first had merged: a cycle, whatever their order."""
    first = bench.one("subject.merge").evidence["subjects"]
    back = [first[1] | {"role": "survivor"}, first[0] | {"role": "merged"}]
    bench.forger.change(bench.one("subject.merge", nth=1), lambda evidence: evidence.update(subjects=back))
    assert bench.faults() == {Fault.SUBJECTS_DIFFER}


@pytest.mark.parametrize(
    ("operation", "told", "says"),
    [
        ("subject.merge", "merge_refused", "merge_needed"),
        ("subject.birth", "merge_needed", "merge_refused"),
        ("subject.birth", "handle_unknown", "merge_needed"),
    ],
    ids=["merge_as_birth", "birth_as_merge", "needed_before_the_registry_answered"],
)
def test_a_refusal_that_such_an_operation_does_not_have(bench: Bench, operation: str, told: str, says: str) -> None:
    refused = bench.one(operation, "refusal", told)
    bench.forger.change(refused, lambda evidence: evidence.update(outcome=says))
    assert bench.faults() == {Fault.SUBJECTS_DIFFER}
