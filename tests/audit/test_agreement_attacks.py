"""What was released, against policy, agreement and contract."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

from gateway.audit.verdict import Fault
from gateway.ledger.encoding import timestamp
from tests.audit.bench import Bench, rebase

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_written_again_unchanged_holds(bench: Bench) -> None:
    for item in bench.items:
        if item.record.answer_base:
            bench.forger.change(item, lambda _: None)
    assert bench.faults() == set()


def test_agreement_that_does_not_exist(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", rebase("ESSAI-COOP", "ESSAI-OTHER", agreement="ESSAI-OTHER"))
    assert bench.faults() == {Fault.NOT_AGREED}


def test_agreement_of_another_party(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", rebase("ESSAI-COOP", "ESSAI-MIN", agreement="ESSAI-MIN"))
    assert bench.faults() == {Fault.NOT_AGREED}


def test_purpose_that_was_not_agreed(bench: Bench) -> None:
    bench.forger.request(
        bench.one(), "cooperative", rebase('"exchange-purpose": essai', '"exchange-purpose": autre', purpose="autre")
    )
    assert bench.faults() == {Fault.NOT_AGREED}


def test_agreement_that_the_caller_did_not_sign(bench: Bench) -> None:
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence.update(purpose="inscription"))
    assert bench.faults() == {Fault.NOT_AGREED}


def test_fields_beyond_the_agreement(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence.update(fields=["message", "outcome"]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


def test_subject_that_the_operation_does_not_disclose(bench: Bench) -> None:
    subject = {"ledger": "0" * 64, "handle": "1" * 64}
    bench.forger.change(bench.one(), lambda evidence: evidence.update(subjects=[subject]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


def test_handle_without_its_subject(bench: Bench) -> None:
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence.update(subjects=[]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


def test_refusal_that_the_policy_does_not_give(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    bench.forger.request(refused, "cooperative", rebase("NONE", "ESSAI-COOP", agreement="ESSAI-COOP"))
    assert bench.faults() == {Fault.REFUSAL_UNFOUNDED}


def test_refusal_that_disclosed(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    bench.forger.change(refused, lambda evidence: evidence.update(fields=["message"]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


def test_refusal_after_the_salt_told_as_one_before_it(bench: Bench) -> None:
    bench.forger.change(
        bench.one(kind="refusal", outcome="replayed"), lambda evidence: evidence.update(reason="not_agreed")
    )
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_policy_that_was_not_in_force(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence.update(policy="0" * 64))
    assert bench.faults() == {Fault.POLICY_DIFFERS}


def test_party_that_the_policy_does_not_know(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="replayed")
    bench.forger.change(refused, lambda evidence: evidence.update(party="stranger"))
    assert bench.faults() == {Fault.POLICY_DIFFERS}


def test_contract_of_another_service(bench: Bench) -> None:
    other = bench.one("nirec.verify").evidence["contract"]["sha256"]
    bench.forger.change(bench.one(), lambda evidence: evidence["contract"].update(sha256=other))
    assert bench.faults() == {Fault.CONTRACT_DIFFERS}


def test_a_contract_by_which_nobody_had_to_be_asked(bench: Bench, trust: Path) -> None:
    """The gateway invents a registry's answer: all signatures are right, and there is no upstream to have signed."""
    item = bench.one("nirec.verify")
    contract = (bench.forger.log / "objects" / item.evidence["contract"]["sha256"]).read_text()
    digest = bench.add(contract.replace("upstream: civil-registry", "upstream: loopback").encode())

    def invent(evidence: dict[str, Any]) -> None:
        evidence["contract"]["sha256"] = digest
        evidence["parties"]["upstream"] = None
        evidence["upstream"] = []

    bench.forger.change(item, invent)
    assert bench.faults() == {Fault.CONTRACT_UNKNOWN}
    shutil.rmtree(trust / "contracts")
    assert bench.faults() == set()  # nothing else shows it: so an audit without them says what it takes on trust


def test_contract_that_is_not_there(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["contract"].update(sha256="0" * 64))
    assert bench.faults() == {Fault.OBJECT_MISSING}


def test_suspended_party(bench: Bench) -> None:
    bench.under("    - cooperative.passerelle.test\n", "    - cooperative.passerelle.test\n    suspended: true\n")
    assert bench.faults() == {Fault.POLICY_DIFFERS}


def test_agreement_that_had_ended(bench: Bench) -> None:
    until = re.findall(r"until: '(.*)'", (bench.forger.log / "objects" / bench.items[0].evidence["policy"]).read_text())
    ended = timestamp(bench.items[0].leaf.time)
    bench.under(f"until: '{until[0]}'", f"until: '{ended}'")
    assert Fault.AGREEMENT_NOT_IN_FORCE in bench.faults()


def test_names_that_are_not_the_partys(bench: Bench) -> None:
    bench.under("    - cooperative.passerelle.test\n", "    - elsewhere.passerelle.test\n")
    assert bench.faults() == {Fault.CERTIFICATE_OF_ANOTHER}


def test_log_under_another_policy_that_says_the_same_holds(bench: Bench) -> None:
    bench.under("# The policy", "# A policy")
    assert bench.faults() == set()
