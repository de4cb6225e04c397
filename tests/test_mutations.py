"""tests/mutations.toml held to the code and to tests/attacks: no attack without its check, no check that is gone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.mutate import ROOT, TABLE, Check, Edit, TableError, Verdict, changed, judge, load, node_ids, read_report

_ELSEWHERE = [
    "tests/adapters/test_apart.py",
    "tests/adapters/test_cooperative.py",
    "tests/adapters/test_counts.py",
    "tests/adapters/test_encryption.py",
    "tests/adapters/test_foreign.py",
    "tests/adapters/test_mapping.py",
    "tests/adapters/test_notices.py",
    "tests/adapters/test_registrations.py",
    "tests/adapters/test_upstream_answer.py",
    "tests/adapters/test_wire.py",
    "tests/audit/test_batch_receipts.py",
    "tests/audit/test_acknowledgements.py",
    "tests/audit/test_agreement_attacks.py",
    "tests/audit/test_apart.py",
    "tests/audit/test_budgets.py",
    "tests/audit/test_rest_upstream_attacks.py",
    "tests/audit/test_subject_attacks.py",
    "tests/audit/test_certificates.py",
    "tests/audit/test_policy_change.py",
    "tests/audit/test_destruction.py",
    "tests/audit/test_disclosures.py",
    "tests/audit/test_effects.py",
    "tests/audit/test_export.py",
    "tests/audit/test_rest_upstream_attacks.py",
    "tests/audit/test_handover.py",
    "tests/audit/test_index.py",
    "tests/audit/test_processes.py",
    "tests/audit/test_recovery.py",
    "tests/audit/test_registrations.py",
    "tests/audit/test_register.py",
    "tests/audit/test_request_attacks.py",
    "tests/audit/test_retelling.py",
    "tests/audit/test_since.py",
    "tests/audit/test_soap_attacks.py",
    "tests/audit/test_soap_acknowledgement.py",
    "tests/audit/test_translate.py",
    "tests/batches",
    "tests/certs",
    "tests/cli/test_break_glass.py",
    "tests/cli/test_call.py",
    "tests/cli/test_call_soap.py",
    "tests/cli/test_command_line.py",
    "tests/client/test_passerelle.py",
    "tests/contracts/test_effect.py",
    "tests/contracts/test_loader.py",
    "tests/family",
    "tests/effects",
    "tests/exchange/test_effect_steps.py",
    "tests/nirec/test_registered.py",
    "tests/test_upstreams.py",
    "tests/translation/test_criteria.py",
    "tests/translation/test_keys.py",
    "tests/contracts/test_patterns.py",
    "tests/contracts/test_shape.py",
    "tests/exchange/test_eight_steps.py",
    "tests/guard/test_budgets.py",
    "tests/faults/test_backup.py",
    "tests/faults/test_postgresql.py",
    "tests/ledger/test_crash_recover.py",
    "tests/ledger/test_crash_two_sequencers.py",
    "tests/postgres",
    "tests/exchange/test_lifecycle.py",
    "tests/test_system.py",
    "tests/exchange/test_subjects.py",
    "tests/http/test_elsewhere.py",
    "tests/http/test_wire.py",
    "tests/http/test_worker.py",
    "tests/ledger/test_change.py",
    "tests/ledger/test_destruction_files.py",
    "tests/ledger/test_policy_acts.py",
    "tests/ledger/test_post.py",
    "tests/ledger/test_purge.py",
    "tests/ledger/test_writer.py",
    "tests/nirec/test_rotation.py",
    "tests/nirec/test_subjects.py",
    "tests/nirec/test_subjects_over_time.py",
    "tests/policy/test_acts.py",
    "tests/policy/test_agreements.py",
    "tests/policy/test_chain.py",
    "tests/policy/test_destruction.py",
    "tests/policy/test_difference.py",
    "tests/policy/test_judge.py",
    "tests/policy/test_policy.py",
    "tests/policy/test_recovery.py",
    "tests/identity/test_parties.py",
    "tests/ledger/test_sequencer_start.py",
    "tests/cli/test_policy_publication.py",
    "tests/signing/test_soap_wrapping.py",
    "tests/signing/test_inner_lists.py",
    "tests/keys",
    "tests/cli/test_keys.py",
    "tests/cli/test_loss.py",
    "tests/client/test_batch.py",
    "tests/client/test_batch_file.py",
    "tests/client/test_gateway_keys.py",
    "tests/witness/test_witness.py",
    "tests/witness/test_slow.py",
    "tests/ledger/test_cosignature.py",
    "tests/ledger/test_witnessing.py",
    "tests/ledger/test_timestamps.py",
    "tests/ledger/test_anchoring.py",
    "tests/audit/test_witness.py",
    "tests/audit/test_timestamps.py",
    "tests/translation/test_address.py",
    "tests/translation/test_forms.py",
    "tests/translation/test_soap_bodies.py",
    "tests/audit/test_deliveries.py",
    "tests/delivery/test_accepting.py",
    "tests/delivery/test_acts.py",
    "tests/delivery/test_delivering.py",
    "tests/delivery/test_lane.py",
    "tests/delivery/test_outbox.py",
    "tests/test_outside.py",
    "tests/test_in_force.py",
    "tests/test_switch.py",
    "tests/test_upkeep.py",
    "tests/scenarios/test_retention.py",
    "tests/ledger/test_properties_formats.py",
    "tests/signing/test_properties_head.py",
    "tests/signing/test_soap_at_hand.py",
    "tests/signing/test_soap_request.py",
    "tests/signing/test_soap_written.py",
]


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Every test of the attacks, by its node id."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "--collect-only"]
    ended = subprocess.run(
        [*command, "tests/attacks", *_ELSEWHERE], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    found = {line for line in ended.stdout.splitlines() if "::" in line}
    assert len(found) > 300, ended.stderr
    return found


def answered(table: dict[str, Any]) -> set[str]:
    tests = {test for check in load() for test in check.red}
    return tests | {test for row in table["library"] for test in node_ids(row["tests"])}


@pytest.mark.parametrize("check", load(), ids=lambda check: check.name)
def test_a_checks_text_is_in_the_code_once(check: Check) -> None:
    for path, content in changed(ROOT, check).items():
        assert content != path.read_text(encoding="utf-8")


def test_every_attack_has_the_check_that_answers_it(table: dict[str, Any], collected: set[str]) -> None:
    attacks = {test for test in collected if test.startswith("tests/attacks/")}
    assert attacks - answered(table) - set(node_ids(table["controls"])) == set()


def test_every_test_that_is_named_is_there(table: dict[str, Any], collected: set[str]) -> None:
    named = answered(table) | set(node_ids(table["controls"]))
    named |= {test for tests in table["section_10"].values() for test in tests}
    assert named - collected == set()


def test_every_line_of_section_10_is_answered(table: dict[str, Any]) -> None:
    lines = table["section_10"]
    assert len(lines) > 20
    left = {line: set(tests) - answered(table) for line, tests in lines.items()}
    elsewhere = {"tests/signing/test_soap_wrapping.py::test_wrapping_is_refused[xsw9-to-wrapped]"}
    assert {line: tests for line, tests in left.items() if tests - elsewhere} == {}
    assert all(lines.values())


def test_names_are_there_once() -> None:
    names = [check.name for check in load()]
    assert len(set(names)) == len(names)


# --- the runner itself -----------------------------------------------------------------------------------------------

_CHECK = Check("one", (Edit("pyproject.toml", "[build-system]", ""),), ("tests/a.py::test_b[c]", "tests/a.py::test_d"))


@pytest.mark.parametrize(
    ("outcomes", "word", "odd"),
    [
        (("failed", "failed"), "red", ()),
        (("failed", "passed"), "green", _CHECK.red[1:]),
        (("error", "failed"), "broken", _CHECK.red[:1]),
        ((), "broken", _CHECK.red),
    ],
    ids=["red", "green", "could_not_begin", "did_not_run"],
)
def test_only_a_test_that_ran_and_failed_is_red(outcomes: tuple[str, ...], word: str, odd: tuple[str, ...]) -> None:
    assert judge(_CHECK, dict(zip(_CHECK.red, outcomes, strict=False))) == Verdict(word, odd)


@pytest.mark.parametrize("text", ["no such text anywhere in it", '"'], ids=["gone", "twice"])
def test_a_text_that_is_not_there_once_is_an_error(text: str) -> None:
    with pytest.raises(TableError, match="times"):
        changed(ROOT, Check("one", (Edit("pyproject.toml", text, ""),), ("x",)))


def test_a_report_is_read_by_node_id() -> None:
    report = b"""<testsuites><testsuite>
        <testcase classname="tests.a" name="test_b[c]"><failure/></testcase>
        <testcase classname="tests.a" name="test_d"/>
        <testcase classname="tests.a" name="test_e"><error/></testcase>
        <testcase classname="tests.a" name="test_e"><failure/></testcase>
    </testsuite></testsuites>"""
    assert read_report(report) == {
        "tests/a.py::test_b[c]": "failed",
        "tests/a.py::test_d": "passed",
        "tests/a.py::test_e": "error",
    }
