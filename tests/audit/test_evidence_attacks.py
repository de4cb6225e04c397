"""Attacks by a gateway that holds all of its own keys, and where said with a caller: the log is signed throughout."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from certs.paths import fingerprint
from gateway.audit.audit import audit
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import canonical_json, encode64, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.model import LeafKind
    from tests.audit.forge import Forger, Item

    Change = Callable[[dict[str, Any]], Any]

_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Bench:
    """One log to spoil: ``one`` finds an entry, ``faults`` writes the log, audits it, gives the codes found."""

    def __init__(self, forger: Forger, folder: Path, trust: Path) -> None:
        self.forger = forger
        self.items = forger.copy()
        self._folder = folder
        self._trust = trust

    def one(self, operation: str = "echo", kind: str = "exchange", outcome: str = "released", nth: int = 0) -> Item:
        return [
            item
            for item in self.items
            if item.leaf.kind == kind
            and (item.evidence.get("operation", operation) == operation)
            and item.evidence.get("outcome", item.evidence.get("reason", outcome)) == outcome
        ][nth]

    def append(self, kind: LeafKind) -> Item:
        return self.forger.append(self.items, kind)

    def faults(self) -> set[Fault]:
        log = self.forger.write(self.items, self._folder)
        return {finding.code for finding in audit(log, self._trust).findings}


@pytest.fixture
def bench(forger: Forger, tmp_path: Path, trust: Path) -> Bench:
    return Bench(forger, tmp_path / "forged", trust)


def _rebase(old: str, new: str, **evidence_too: object) -> Change:
    """Changes the request's base, and its parameters where they hold the text; then members of evidence."""

    def change(evidence: dict[str, Any]) -> None:
        request = evidence["request"]
        assert old in request["base"]
        request["base"] = request["base"].replace(old, new)
        request["parameters"] = request["parameters"].replace(old, new)
        evidence |= evidence_too

    return change


def test_a_log_written_again_unchanged_holds(bench: Bench) -> None:
    for item in bench.items:
        if item.record.answer_base:
            bench.forger.change(item, lambda _: None)
    assert bench.faults() == set()


# What was released, against the agreement


def test_agreement_that_does_not_exist(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", _rebase("ESSAI-COOP", "ESSAI-OTHER", agreement="ESSAI-OTHER"))
    assert bench.faults() == {Fault.NOT_AGREED}


def test_agreement_of_another_party(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", _rebase("ESSAI-COOP", "ESSAI-MIN", agreement="ESSAI-MIN"))
    assert bench.faults() == {Fault.NOT_AGREED}


def test_purpose_that_was_not_agreed(bench: Bench) -> None:
    bench.forger.request(
        bench.one(), "cooperative", _rebase('"exchange-purpose": essai', '"exchange-purpose": autre', purpose="autre")
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
    bench.forger.request(refused, "cooperative", _rebase("NONE", "ESSAI-COOP", agreement="ESSAI-COOP"))
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


def test_contract_that_is_not_there(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["contract"].update(sha256="0" * 64))
    assert bench.faults() == {Fault.OBJECT_MISSING}


# The caller's request


def test_request_that_nobody_signed(bench: Bench) -> None:
    bench.forger.change(bench.one(), _rebase("https://localhost:8443", "https://elsewhere:8443"))
    assert bench.faults() == {Fault.REQUEST_SIGNATURE_INVALID}


def test_request_signed_by_another_party(bench: Bench) -> None:
    bench.forger.request(bench.one(), "ministry", lambda _: None)
    assert bench.faults() == {Fault.REQUEST_SIGNATURE_INVALID}


def test_request_to_another_operation(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", _rebase("/v1/echo", "/v1/nirec/verifications"))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_request_under_an_agreement_of_evidence_only(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    bench.forger.change(refused, lambda evidence: evidence.update(agreement="NOTHING"))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_request_whose_digest_is_another(bench: Bench) -> None:
    digest = f"sha-256=:{encode64(bytes(32))}:"
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(content_digest=digest))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


@pytest.mark.parametrize("name", ["@target-uri", "exchange-agreement", "exchange-purpose", "content-digest"])
def test_request_that_does_not_cover(bench: Bench, name: str) -> None:
    def change(evidence: dict[str, Any]) -> None:
        request = evidence["request"]
        rows = [row for row in request["base"].split("\n") if not row.startswith(f'"{name}": ')]
        parameters = request["parameters"].replace(f'"{name}" ', "")
        request["base"] = "\n".join(rows).replace(request["parameters"], parameters)
        request["parameters"] = parameters

    item = bench.one()
    evidence = item.evidence
    change(evidence)
    item.record = replace(item.record, evidence=canonical_json(evidence), answer_base=b"")
    bench.forger.rebind(item, item.record.evidence)
    assert bench.faults() == {Fault.REQUEST_NOT_COVERED}


def test_request_created_before_the_window(bench: Bench) -> None:
    created = bench.one().evidence["request"]["parameters"].partition("created=")[2][:10]
    bench.forger.request(bench.one(), "cooperative", _rebase(created, str(int(created) - 302)))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_request_created_in_the_future(bench: Bench) -> None:
    created = bench.one().evidence["request"]["parameters"].partition("created=")[2][:10]
    bench.forger.request(bench.one(), "cooperative", _rebase(created, str(int(created) + 32)))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_request_told_twice(bench: Bench) -> None:
    first = bench.one().evidence["request"]
    bench.forger.change(bench.one(nth=1), lambda evidence: evidence.update(request=first))
    assert bench.faults() == {Fault.REPLAYED}


def test_keyid_of_another_certificate(bench: Bench) -> None:
    parameters = bench.one().evidence["request"]["parameters"]
    keyid = parameters.partition('keyid="')[2].partition('"')[0]
    bench.forger.request(bench.one(), "cooperative", _rebase(keyid, "A" * 43))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_algorithm_that_the_key_has_not(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(algorithm="ed25519"))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


# Certificates


def test_tls_certificate_of_another_party(bench: Bench) -> None:
    other = bench.one("nirec.verify").evidence["request"]["tls"]
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(tls=other))
    # its lists come first: they are of another authority
    assert bench.faults() == {Fault.CERTIFICATE_PROOF_DIFFERS}


def test_signing_certificate_in_place_of_the_tls_certificate(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        evidence["request"]["tls"] = evidence["request"]["signing"]

    bench.forger.change(bench.one(), change)
    assert bench.faults() == {Fault.CERTIFICATE_REFUSED}


def test_chain_that_was_not_the_certificates(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["answer"]["signing"].update(chain=[]))
    assert bench.faults() == {Fault.CERTIFICATE_PROOF_DIFFERS}


def test_no_revocation_lists(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["request"]["tls"].update(revocation=[]))
    assert bench.faults() == {Fault.CERTIFICATE_REFUSED}


def test_revocation_list_of_another_authority(bench: Bench) -> None:
    other = bench.one("nirec.verify").evidence["request"]["tls"]["revocation"]
    bench.forger.change(bench.one(), lambda evidence: evidence["request"]["tls"].update(revocation=other))
    assert bench.faults() == {Fault.CERTIFICATE_PROOF_DIFFERS}


@pytest.mark.parametrize("party", ["cooperative", "passerelle", "civil-registry"])
def test_wrong_trust_root(bench: Bench, trust: Path, party: str) -> None:
    (trust / "roots" / f"{party}.pem").write_bytes((trust / "roots" / "ministry.pem").read_bytes())
    assert bench.faults() & {Fault.CERTIFICATE_REFUSED, Fault.CERTIFICATE_PROOF_DIFFERS}


def test_party_without_a_trusted_root(bench: Bench, trust: Path) -> None:
    (trust / "roots" / "civil-registry.pem").unlink()
    assert bench.faults() == {Fault.CERTIFICATE_OF_ANOTHER}


# The upstream's messages


def test_upstream_that_was_never_asked(bench: Bench) -> None:
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence.update(upstream=[]))
    assert bench.faults() == {Fault.UPSTREAM_DIFFERS}


def test_upstream_of_another_name(bench: Bench) -> None:
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence["parties"].update(upstream="cooperative"))
    assert bench.faults() == {Fault.UPSTREAM_DIFFERS}


def test_upstream_answer_to_another_request(bench: Bench) -> None:
    other = bench.one("nirec.verify", nth=1).evidence["upstream"][0]["answer"]
    bench.forger.change(bench.one("nirec.verify"), lambda evidence: evidence["upstream"][0].update(answer=other))
    assert Fault.UPSTREAM_DIFFERS in bench.faults()


def test_upstream_messages_told_twice(bench: Bench) -> None:
    first = bench.one("nirec.verify").evidence["upstream"]

    def change(evidence: dict[str, Any]) -> None:
        evidence["upstream"] = [{**first[0], "at": evidence["received_at"]}]

    bench.forger.change(bench.one("nirec.verify", nth=1), change)
    assert bench.faults() == {Fault.REPLAYED}


def test_upstream_answer_that_the_gateway_signed_itself(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        attempt = evidence["upstream"][0]
        signed_info = attempt["answer"]["signed_info"]
        attempt["answer"]["signature"] = encode64(bench.forger.keystore.sign("signing", signed_info.encode()))

    bench.forger.change(bench.one("nirec.verify"), change)
    assert bench.faults() == {Fault.UPSTREAM_SIGNATURE_INVALID}


def test_upstream_header_that_was_not_signed(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        headers = evidence["upstream"][0]["answer"]["headers"]
        headers["id-RelatesTo"] = headers["id-MessageID"]

    bench.forger.change(bench.one("nirec.verify"), change)
    assert bench.faults() == {Fault.UPSTREAM_SIGNATURE_INVALID}


def test_upstream_timeout_told_as_an_answer(bench: Bench) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0].update(outcome="answered"))
    assert bench.faults() == {Fault.UPSTREAM_DIFFERS}


# The answer


def test_answer_for_another_request(bench: Bench) -> None:
    other = bench.one(nth=1).evidence["request"]["signature"]
    bench.forger.answer(bench.one(), lambda values: values.update({'"signature";req;key="sig1"': f":{other}:"}))
    assert bench.faults() == {Fault.ANSWER_DIFFERS}


def test_answer_of_another_exchange(bench: Bench) -> None:
    item, other = bench.one(), bench.one(nth=1)
    item.record = replace(
        item.record, answer_base=other.record.answer_base, answer_signature=other.record.answer_signature
    )
    assert bench.faults() == {Fault.ANSWER_DIFFERS}


@pytest.mark.parametrize(
    "name",
    [
        '"@status"',
        '"ledger-leaf"',
        '"ledger-by"',
        '"@target-uri";req',
        '"content-digest";req',
        '"signature";req;key="sig1"',
    ],
)
def test_answer_that_does_not_cover(bench: Bench, name: str) -> None:
    bench.forger.answer(bench.one(), lambda values: values.pop(name))
    assert bench.faults() == {Fault.ANSWER_NOT_COVERED}


def test_answer_to_an_early_refusal_that_covers_the_requests_digest(bench: Bench) -> None:
    digest = {'"content-digest";req': f"sha-256=:{encode64(bytes(32))}:"}
    bench.forger.answer(bench.one(kind="refusal", outcome="replayed"), lambda values: values.update(digest))
    assert bench.faults() == {Fault.ANSWER_NOT_COVERED}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('"ledger-leaf"', encode64(bytes(32))),
        ('"@status"', "201"),
        ('"exchange-id"', "11111111-1111-4111-8111-111111111111"),
        ('"ledger-by"', "2020-01-01T00:00:00Z"),
        ('"@target-uri";req', "https://localhost:8443/v1/other"),
    ],
)
def test_answer_that_says_something_else(bench: Bench, name: str, value: str) -> None:
    bench.forger.answer(bench.one(), lambda values: values.update({name: value}))
    assert bench.faults() == {Fault.ANSWER_DIFFERS}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('tag="passerelle"', 'tag="other"', Fault.ANSWER_MALFORMED),
        (';tag="passerelle"', "", Fault.ANSWER_MALFORMED),
        (";created=", ";expires=1;created=", Fault.ANSWER_MALFORMED),
        (";created=", ";created=1;was=", Fault.ANSWER_MALFORMED),
        ('keyid="', 'keyid="x', Fault.ANSWER_DIFFERS),
        (";created=17", ";created=16", Fault.TIME_DIFFERS),
        (";created=17", ';created="";x=17', Fault.ANSWER_MALFORMED),
    ],
)
def test_answer_under_other_parameters(bench: Bench, old: str, new: str, fault: Fault) -> None:
    bench.forger.answer(bench.one(), parameters=lambda text: text.replace(old, new))
    assert bench.faults() == {fault}


def test_answer_created_at_no_time(bench: Bench) -> None:
    bench.forger.answer(bench.one(), parameters=lambda text: re.sub(r"created=\d+", 'created="now"', text))
    assert bench.faults() == {Fault.ANSWER_MALFORMED}


@pytest.mark.parametrize("key", ["1", '"Label"'])
def test_early_answer_under_a_label_that_is_none(bench: Bench, key: str) -> None:
    def change(values: dict[str, str]) -> None:
        values[f'"signature-input";req;key={key}'] = values.pop('"signature-input";req;key="sig1"')

    bench.forger.answer(bench.one(kind="refusal", outcome="replayed"), change)
    assert bench.faults() <= {Fault.ANSWER_MALFORMED, Fault.REQUEST_MALFORMED}
    assert bench.faults()


def test_nonce_that_the_refused_request_did_not_have(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="replayed")
    bench.forger.change(refused, lambda evidence: evidence.update(nonce="A" * 24))
    assert bench.faults() == {Fault.ANSWER_DIFFERS}


def test_answer_with_a_high_s(bench: Bench) -> None:
    item = bench.one()
    signature = item.record.answer_signature
    high = (_P256 - int.from_bytes(signature[32:])).to_bytes(32)
    item.record = replace(item.record, answer_signature=signature[:32] + high)
    assert bench.faults() == {Fault.ANSWER_SIGNATURE_INVALID}


def test_answer_that_the_gateway_did_not_sign(bench: Bench) -> None:
    item = bench.one()
    item.record = replace(item.record, answer_signature=bench.one(nth=1).record.answer_signature)
    assert bench.faults() == {Fault.ANSWER_SIGNATURE_INVALID}


# Leaf, record and evidence


def test_evidence_of_another_exchange_id(bench: Bench) -> None:
    item = bench.one()
    item.leaf = replace(item.leaf, exchange_id=bench.items[0].leaf.writer)
    bench.forger.answer(item, lambda _: None)
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_refusal_told_as_an_exchange(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    refused.leaf = replace(refused.leaf, kind="exchange")
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_received_on_another_day(bench: Bench) -> None:
    item = bench.one()
    before = timestamp(item.leaf.time - timedelta(days=1))
    bench.forger.change(item, lambda evidence: evidence.update(received_at=before))
    assert bench.faults() == {Fault.TIME_DIFFERS}


@pytest.mark.parametrize("evidence", [b"", b"junk", b"{}", b"[1]", b"null", b"[" * 100_000, b'{"a":NaN}', b"\xff"])
def test_junk_evidence(bench: Bench, evidence: bytes) -> None:
    item = bench.one()
    item.record = replace(item.record, answer_base=b"")
    bench.forger.rebind(item, evidence)
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


@pytest.mark.parametrize(
    "change",
    [
        lambda evidence: evidence.update(extra=1),
        lambda evidence: evidence.pop("subjects"),
        lambda evidence: evidence.update(v=2),
        lambda evidence: evidence.update(fields="message"),
        lambda evidence: evidence["answer"].update(status="200"),
        lambda evidence: evidence["answer"].update(body="x"),
        lambda evidence: evidence["request"].update(salt="x"),
        lambda evidence: evidence["request"].update(signature="AB=="),
        lambda evidence: evidence.update(received_at="2026-11-22T00:00:00Z"),
        lambda evidence: evidence.update(exchange_id=evidence["exchange_id"].upper().replace("-", "")),
    ],
)
def test_evidence_with_members_that_it_must_not_have(bench: Bench, change: Change) -> None:
    item = bench.one()
    evidence = item.evidence
    change(evidence)
    item.record = replace(item.record, answer_base=b"")
    bench.forger.rebind(item, canonical_json(evidence))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_evidence_that_is_not_canonical(bench: Bench) -> None:
    item = bench.one()
    item.record = replace(item.record, answer_base=b"")
    bench.forger.rebind(item, item.record.evidence.replace(b'":', b'": ', 1))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_early_refusal_that_keeps_a_digest_of_its_request(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="replayed")
    bench.forger.change(refused, lambda evidence: evidence.update(content_digest="x"))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_evidence_that_is_gone_without_destruction(bench: Bench) -> None:
    bench.one().stored = b""
    assert bench.faults() == {Fault.RECORD_MISSING}


def test_evidence_that_does_not_open(bench: Bench) -> None:
    bench.one().stored = bytes(600)
    assert bench.faults() == {Fault.RECORD_UNREADABLE}


def test_record_that_the_leaf_does_not_bind(bench: Bench) -> None:
    bench.one().leaf = replace(bench.one().leaf, binding=bytes(32))
    assert bench.faults() == {Fault.RECORD_UNREADABLE}


def test_answer_in_a_kind_that_answers_nobody(bench: Bench) -> None:
    closing = next(item for item in bench.items if item.leaf.kind == "closing")
    closing.record = replace(closing.record, answer_base=b"x")
    assert bench.faults() == {Fault.RECORD_UNREADABLE}


@pytest.mark.parametrize("kind", ["anchor", "destruction"])
def test_kind_that_the_audit_cannot_judge(bench: Bench, kind: LeafKind) -> None:
    bench.append(kind)
    assert bench.faults() == {Fault.KIND_UNSUPPORTED}


# Writers, openings, policies


def test_counter_gap_in_a_closed_writer(bench: Bench) -> None:
    bench.items.remove(bench.one())
    assert bench.faults() == {Fault.COUNTER_GAP}


def test_closing_that_names_a_counter_that_is_there(bench: Bench) -> None:
    closing = next(item for item in bench.items if item.leaf.kind == "closing" and item.evidence["highest"] > 2)
    bench.forger.change(closing, lambda evidence: evidence.update(missing=[2]))
    assert bench.faults() == {Fault.COUNTER_GAP}


def test_closing_below_the_highest_counter(bench: Bench) -> None:
    closing = next(item for item in bench.items if item.leaf.kind == "closing" and item.evidence["highest"] > 2)
    bench.forger.change(closing, lambda evidence: evidence.update(highest=evidence["highest"] - 1))
    assert bench.faults() == {Fault.COUNTER_GAP}


def test_counter_gap_that_the_closing_explains(bench: Bench) -> None:
    gone = bench.one()
    bench.items.remove(gone)
    closing = next(item for item in bench.items if item.leaf.kind == "closing" and item.evidence["highest"] > 2)
    bench.forger.change(closing, lambda evidence: evidence.update(missing=[gone.leaf.counter]))
    assert bench.faults() == set()


def test_closing_of_a_writer_that_is_not_there(bench: Bench) -> None:
    closing = next(item for item in bench.items if item.leaf.kind == "closing")
    bench.forger.change(closing, lambda evidence: evidence.update(writer=str(bench.items[0].leaf.exchange_id)))
    assert Fault.WRITER_INVALID in bench.faults()


def test_writer_without_its_opening(bench: Bench) -> None:
    bench.items = [item for item in bench.items if item.leaf.kind != "opening"]
    assert Fault.WRITER_INVALID in bench.faults()


def test_wrong_period_key(bench: Bench, trust: Path) -> None:
    period = bench.items[0].leaf.period
    other = next(path for path in (trust / "periods").iterdir() if path.name != f"{period}.key")
    (trust / "periods" / f"{period}.key").write_bytes(other.read_bytes())
    assert Fault.PERIOD_KEY_DIFFERS in bench.faults()


def test_opening_sealed_to_a_key_that_the_policy_does_not_name(bench: Bench) -> None:
    opening = next(item for item in bench.items if item.leaf.kind == "opening")
    bench.forger.change(opening, lambda evidence: evidence.update(period_key="0" * 64))
    assert Fault.PERIOD_KEY_DIFFERS in bench.faults()


def test_void_of_another_counter(bench: Bench) -> None:
    bench.forger.void(bench.items, counter=0)
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


@pytest.mark.parametrize("change", [{}, {"previous": "0" * 64}, {"version": 2}])
def test_policy_that_does_not_follow_the_one_before(bench: Bench, change: dict[str, Any]) -> None:
    genesis = bench.items[0].evidence["policy"]
    policy = bench.append("policy")
    evidence = {"v": 1, "kind": "policy", "policy": genesis, "version": 1, "previous": genesis, **change}
    bench.forger.rebind(policy, canonical_json(evidence))
    assert bench.faults() == {Fault.POLICY_DIFFERS}


def test_second_genesis(bench: Bench) -> None:
    bench.forger.rebind(bench.append("genesis"), bench.items[0].record.evidence)
    assert bench.faults() == {Fault.GENESIS_DIFFERS}


def test_certificate_object_replaced(bench: Bench, tmp_path: Path, trust: Path) -> None:
    log = bench.forger.write(bench.items, tmp_path / "forged")
    digest = bench.one().evidence["request"]["signing"]["sha256"]
    other = (log / "objects" / bench.one("nirec.verify").evidence["request"]["signing"]["sha256"]).read_bytes()
    assert fingerprint(other) != digest
    (log / "objects" / digest).write_bytes(other)
    assert {finding.code for finding in audit(log, trust).findings} == {Fault.OBJECT_INVALID}
