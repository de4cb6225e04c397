"""One exchange in one file, proved years later from the file and the anchors alone (issue 5, line 5)."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gateway.audit.questions.export import make_export
from gateway.audit.questions.export_check import ExportVerdict, Limit, verify_export
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.trust import load_trust
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import canonical_json, decode64, encode64
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.record import unpack_record
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.audit.test_policy_change import other_purpose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.audit.trust import Trust
    from tests.audit.bench import Bench

_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#: So many bytes are changed in turn; 53,000 are all of them.
_TAMPERED = int(os.environ.get("TAMPER_EXPORT", "60"))


@pytest.fixture(scope="session")
def anchors(gateway: Gateway) -> Trust:
    return load_trust(gateway.folder / "trust")


@pytest.fixture(scope="session")
def exported(gateway: Gateway, forger: Forger, anchors: Trust) -> bytes:
    """The last confirmed verification."""
    log = gateway.settings.folders.log
    chosen = [item for item in forger.items if item.evidence.get("operation") == "nirec.verify"]
    return make_export(log, (log / "checkpoint").read_bytes(), anchors, chosen[-1].leaf.exchange_id)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(data)
    change(content)
    return canonical_json(content)


def fault(verdict: ExportVerdict) -> Fault | None:
    return None if verdict.problem is None else verdict.problem.fault


def test_an_export_holds_without_the_log_and_without_any_period_key(exported: bytes, trust: Path) -> None:
    shutil.rmtree(trust / "periods")
    verdict = verify_export(exported, load_trust(trust))
    assert (verdict.holds, fault(verdict)) == (True, None)
    proven = verdict.proven
    assert proven is not None
    assert (proven.kind, proven.party, proven.agreement) == ("exchange", "ministry", "ENT-2026-02")
    assert (proven.operation, proven.purpose, proven.outcome) == ("nirec.verify", "admissibilite", "released")
    assert (proven.fields, len(proven.subjects)) == (("handle", "outcome"), 1)
    assert set(verdict.unproven) == set(Limit) - {Limit.CONTRACTS_ASSERTED, Limit.UPSTREAM_SEALED_APART}


def test_without_the_auditor_s_contracts_it_is_taken_from_the_gateway(exported: bytes, anchors: Trust) -> None:
    assert Limit.CONTRACTS_ASSERTED in verify_export(exported, replace(anchors, contracts=None)).unproven
    other = verify_export(exported, replace(anchors, contracts=frozenset({"0" * 64})))
    assert fault(other) is Fault.CONTRACT_UNKNOWN


def test_an_export_under_the_remembered_checkpoint_is_of_that_log(exported: bytes, trust: Path) -> None:
    note = json.loads(exported)["checkpoint"]
    (trust / "remembered-checkpoint").write_text(note, encoding="utf-8")
    verdict = verify_export(exported, load_trust(trust))
    assert verdict.holds
    assert Limit.LOG_NOT_COMPARED not in verdict.unproven


def test_refusals_can_be_exported_too(gateway: Gateway, forger: Forger, anchors: Trust) -> None:
    log = gateway.settings.folders.log
    outcomes = []
    for item in forger.items:
        if item.leaf.kind == "refusal":
            data = make_export(log, (log / "checkpoint").read_bytes(), anchors, item.leaf.exchange_id)
            verdict = verify_export(data, anchors)
            assert verdict.proven is not None, fault(verdict)
            assert Limit.HANDLES_ASSERTED not in verdict.unproven
            outcomes.append(verdict.proven.outcome)
    assert {"not_agreed", "replayed", "upstream_timeout", "certificate_refused"} <= set(outcomes)


def test_an_export_opens_nothing_but_its_exchange(exported: bytes, forger: Forger) -> None:
    """No data key: it would open all that its writer ever sealed."""
    content = json.loads(exported)
    kinds = [unpack_leaf(decode64(entry["leaf"])).kind for entry in content["entries"]]
    assert kinds == ["genesis", "opening", "exchange"]
    assert content.keys() == {"v", "kind", "checkpoint", "entries", "objects"}
    assert forger.items


def test_a_checkpoint_goes_in_without_the_cosignatures_of_others(
    gateway: Gateway, exported: bytes, forger: Forger, anchors: Trust
) -> None:
    """Whose keys they are, the anchors of another year may not say."""
    log = gateway.settings.folders.log
    note = (log / "checkpoint").read_bytes() + f"— witness.example {encode64(bytes(76))}\n".encode()
    leaf = forger.items[json.loads(exported)["entries"][-1]["index"]].leaf
    assert make_export(log, note, anchors, leaf.exchange_id) == exported


@pytest.mark.parametrize("at", range(_TAMPERED))
def test_no_byte_can_be_changed(exported: bytes, anchors: Trust, at: int) -> None:
    place = at * len(exported) // _TAMPERED
    for bit in (0x01, 0x20):
        other = exported[:place] + bytes([exported[place] ^ bit]) + exported[place + 1 :]
        assert not verify_export(other, anchors).holds, place


def test_no_byte_can_be_cut_or_added(exported: bytes, anchors: Trust) -> None:
    for other in (b"", exported[:-1], exported + b"\n", exported + exported, b" " + exported):
        assert fault(verify_export(other, anchors)) is Fault.BUNDLE_MALFORMED


#: What is left out, put in or moved, and what a verifier says of it.
MOVED: dict[str, tuple[Callable[[dict[str, Any]], object], Fault]] = {
    "without_genesis": (lambda it: it["entries"].pop(0), Fault.POLICY_DIFFERS),
    "without_opening": (lambda it: it["entries"].pop(1), Fault.WRITER_INVALID),
    "without_exchange": (lambda it: it["entries"].pop(), Fault.FILE_UNKNOWN),
    "backwards": (lambda it: it["entries"].reverse(), Fault.BUNDLE_MALFORMED),
    "exchange_twice": (lambda it: it["entries"].append(it["entries"][-1]), Fault.BUNDLE_MALFORMED),
    "opening_twice": (lambda it: it["entries"].insert(1, it["entries"][1]), Fault.BUNDLE_MALFORMED),
    "another_index": (lambda it: it["entries"][-1].update(index=it["entries"][-1]["index"] - 1), Fault.ROOT_DIFFERS),
    "a_shorter_proof": (lambda it: it["entries"][-1]["proof"].pop(), Fault.ROOT_DIFFERS),
    "record_of_another": (
        lambda it: it["entries"][-1].update(record=it["entries"][0]["record"]),
        Fault.RECORD_UNREADABLE,
    ),
    "object_missing": (lambda it: it["objects"].popitem(), Fault.OBJECT_MISSING),
    "object_of_another_name": (lambda it: it["objects"].update({"0" * 64: "AAAA"}), Fault.OBJECT_INVALID),
    "object_that_nothing_names": (lambda it: it["objects"].update({_OF_NOTHING: ""}), Fault.FILE_UNKNOWN),
    "checkpoint_signed_by_another_too": (
        lambda it: it.update(checkpoint=it["checkpoint"] + "— b AAAAAAAA\n"),
        Fault.CHECKPOINT_INVALID,
    ),
    "a_member_more": (lambda it: it.update(made_at="2026"), Fault.BUNDLE_MALFORMED),
    "another_version": (lambda it: it.update(v=2), Fault.BUNDLE_MALFORMED),
    "a_version_that_is_no_number": (lambda it: it.update(v=True), Fault.BUNDLE_MALFORMED),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_is_left_out_put_in_or_moved_is_found(exported: bytes, anchors: Trust, name: str) -> None:
    change, found = MOVED[name]
    assert fault(verify_export(changed(exported, change), anchors)) is found


def test_other_anchors_do_not_hold_it(exported: bytes, trust: Path, forger: Forger, tmp_path: Path) -> None:
    (trust / "genesis").write_text("0" * 64)
    assert fault(verify_export(exported, load_trust(trust))) is Fault.GENESIS_DIFFERS
    (trust / "genesis").write_text(str(forger.items[0].evidence["policy"]))
    assert verify_export(exported, load_trust(trust)).holds
    (trust / "roots" / "ministry.pem").write_bytes((trust / "roots" / "cooperative.pem").read_bytes())
    assert fault(verify_export(exported, load_trust(trust))) is Fault.CERTIFICATE_PROOF_DIFFERS


def test_another_log_remembered_at_this_size_is_a_fork(
    exported: bytes, trust: Path, forger: Forger, tmp_path: Path
) -> None:
    items = forger.copy()
    forger.void(items)
    other = forger.write([*items[:-2], items[-1]], tmp_path / "other")
    shutil.copy(other / "checkpoint", trust / "remembered-checkpoint")
    assert fault(verify_export(exported, load_trust(trust))) is Fault.LOG_FORKED


@pytest.mark.parametrize(
    ("evidence", "found"),
    [({"purpose": "autre"}, Fault.NOT_AGREED), ({"fields": ["handle", "outcome", "salt"]}, Fault.FIELDS_NOT_AGREED)],
    ids=["purpose", "fields"],
)
def test_an_exchange_that_an_audit_refuses_is_refused_alone_too(
    bench: Bench, trust: Path, tmp_path: Path, evidence: dict[str, Any], found: Fault
) -> None:
    """By a gateway that holds all of its own keys, and exports what its log never should have held."""
    item = bench.one("nirec.verify")
    bench.forger.change(item, lambda it: it.update(evidence))
    log = bench.forger.write(bench.items, tmp_path / "bad")
    anchors = load_trust(trust)
    data = make_export(log, (log / "checkpoint").read_bytes(), anchors, item.leaf.exchange_id)
    assert fault(verify_export(data, anchors)) is found


def test_what_cannot_be_exported_says_why(gateway: Gateway, forger: Forger, trust: Path) -> None:
    log = gateway.settings.folders.log
    note = (log / "checkpoint").read_bytes()
    exchange = next(item.leaf for item in forger.items if item.leaf.kind == "exchange")
    with pytest.raises(NoAnswerError) as caught:
        make_export(log, note, load_trust(trust), uuid4())
    assert caught.value.key == "exchange_not_in_log"
    shutil.rmtree(trust / "periods")
    with pytest.raises(NoAnswerError) as caught:
        make_export(log, note, load_trust(trust), exchange.exchange_id)
    assert (caught.value.key, caught.value.values["period"]) == ("exchange_sealed", exchange.period)


def test_a_leaf_that_is_no_exchange_proves_none(exported: bytes, anchors: Trust) -> None:
    def shortened(content: dict[str, Any]) -> None:
        content["entries"].pop()
        kept = unpack_policy(content)
        content["objects"] = {kept: content["objects"][kept]}

    assert fault(verify_export(changed(exported, shortened), anchors)) in {
        Fault.WRITER_INVALID,
        Fault.KIND_UNSUPPORTED,
    }


def unpack_policy(content: dict[str, Any]) -> str:
    record = decode64(content["entries"][0]["record"])
    length = int.from_bytes(record[32:36], "big")
    return str(json.loads(record[36 : 36 + length])["policy"])


@pytest.fixture(scope="module")
def changed_policy(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """A gateway whose policy changed once, between two echoes."""
    made = Gateway(tmp_path_factory.mktemp("changed"))
    made.echo()
    made.change(other_purpose)
    made.echo(purpose="autre")
    made.worker.close()
    made.sequence()
    made.sequence()
    return made


def test_the_policy_s_own_leaves_prove_what_was_in_force(changed_policy: Gateway) -> None:
    log, anchors = changed_policy.settings.folders.log, load_trust(changed_policy.folder / "trust")
    exchanges = [item for item in Forger(changed_policy).items if item.leaf.kind == "exchange"]
    exports = [
        make_export(log, (log / "checkpoint").read_bytes(), anchors, item.leaf.exchange_id) for item in exchanges
    ]
    verdicts = [verify_export(data, anchors) for data in exports]
    assert [fault(verdict) for verdict in verdicts] == [None, None]
    assert [verdict.proven.policy for verdict in verdicts if verdict.proven] == [
        item.evidence["policy"] for item in exchanges
    ]
    kinds = [unpack_leaf(decode64(entry["leaf"])).kind for entry in json.loads(exports[1])["entries"]]
    assert kinds[0] == "genesis"
    assert kinds.count("policy") >= 2

    def without_activation(content: dict[str, Any]) -> None:
        at = max(number for number, kind in enumerate(kinds) if kind == "policy")
        content["entries"].pop(at)

    def without_proposal(content: dict[str, Any]) -> None:
        content["entries"].pop(kinds.index("policy"))

    for change in (without_activation, without_proposal):
        assert fault(verify_export(changed(exports[1], change), anchors)) is Fault.POLICY_DIFFERS


def test_a_plain_record_holds_no_answer(exported: bytes, anchors: Trust) -> None:
    """Nothing binds it there."""

    def answered(content: dict[str, Any]) -> None:
        entry = content["entries"][0]
        record = unpack_record(decode64(entry["record"]))
        entry["record"] = encode64(replace(record, answer_base=b"anything").pack())

    assert fault(verify_export(changed(exported, answered), anchors)) is Fault.RECORD_UNREADABLE


def test_base64_has_one_spelling(exported: bytes, anchors: Trust) -> None:
    def spelled(content: dict[str, Any]) -> None:
        text = content["entries"][-1]["leaf"]
        assert encode64(decode64(text)) == text
        content["entries"][-1]["leaf"] = text + "\n"

    assert fault(verify_export(changed(exported, spelled), anchors)) is Fault.BUNDLE_MALFORMED
