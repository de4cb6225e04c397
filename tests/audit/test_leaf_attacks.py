"""Leaf, record, evidence; writers, openings, policies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from certs.paths import fingerprint
from gateway.audit.audit import audit
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import canonical_json, encode64, timestamp
from tests.audit.bench import rebase

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.model import LeafKind
    from tests.audit.bench import Bench, Change


@pytest.mark.parametrize("change", [{"outcome": "not_agreed"}, {"outcome": "x"}])
def test_exchange_that_was_not_released(bench: Bench, change: dict[str, Any]) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence.update(change))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_exchange_with_an_errors_status(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["answer"].update(status=403))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_late_refusal_with_an_early_code(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    bench.forger.change(refused, lambda evidence: evidence.update(outcome="replayed"))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


@pytest.mark.parametrize("outcome", ["not_agreed", "replayed"])
def test_refusal_with_the_status_of_a_success(bench: Bench, outcome: str) -> None:
    refused = bench.one(kind="refusal", outcome=outcome)
    bench.forger.change(refused, lambda evidence: evidence["answer"].update(status=200))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_opening_of_another_writer(bench: Bench) -> None:
    opening = next(item for item in bench.items if item.leaf.kind == "opening")
    bench.forger.change(opening, lambda evidence: evidence.update(writer=str(opening.leaf.exchange_id)))
    assert Fault.EVIDENCE_DIFFERS in bench.faults()


def test_data_key_that_does_not_open(bench: Bench) -> None:
    opening = next(item for item in bench.items if item.leaf.kind == "opening")
    bench.forger.change(opening, lambda evidence: evidence.update(sealed_data_key=encode64(bytes(1168))))
    assert bench.faults() == {Fault.RECORD_UNREADABLE}


def test_repeated_fields(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence.update(fields=["message", "message"]))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_request_that_had_expired(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", rebase(";nonce=", ";expires=1;nonce="))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_request_with_a_query_that_the_operation_has_not(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", rebase("/v1/echo", "/v1/echo?nirec=1"))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_parameters_that_are_not_the_bases(bench: Bench) -> None:
    other = bench.one(nth=1).evidence["request"]["parameters"]
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(parameters=other))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_request_label_that_is_none(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(label="a=1, b"))
    assert Fault.REQUEST_MALFORMED in bench.faults()


def test_evidence_of_another_exchange_id(bench: Bench) -> None:
    item = bench.one()
    item.leaf = replace(item.leaf, exchange_id=bench.items[0].leaf.writer)
    bench.forger.answer(item, lambda _: None)
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_refusal_told_as_an_exchange(bench: Bench) -> None:
    refused = bench.one(kind="refusal", outcome="not_agreed")
    refused.leaf = replace(refused.leaf, kind="exchange")
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


@pytest.mark.parametrize(("kind", "outcome"), [("exchange", "released"), ("refusal", "replayed")])
@pytest.mark.parametrize("days", [-1, 1])
def test_received_on_another_day(bench: Bench, kind: str, outcome: str, days: int) -> None:
    item = bench.one(kind=kind, outcome=outcome)
    other = timestamp(item.leaf.time + timedelta(days=days))
    bench.forger.change(item, lambda evidence: evidence.update(received_at=other))
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


@pytest.mark.parametrize("kind", ["intent", "delivery"])
def test_an_exchange_told_as_another_kind(bench: Bench, kind: LeafKind) -> None:
    item = bench.one()
    item.leaf = replace(item.leaf, kind=kind)
    item.record = replace(item.record, answer_base=b"", answer_signature=b"")
    bench.forger.change(item, lambda evidence: evidence.update(kind=kind))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


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


def test_id_of_another_leaf(bench: Bench) -> None:
    bench.forger.void(bench.items)
    bench.forger.void(bench.items)
    last = bench.items[-1]
    last.leaf = replace(last.leaf, exchange_id=bench.items[-2].leaf.exchange_id)
    assert bench.faults() == {Fault.LEAF_REPEATED}


def test_period_key_that_the_policy_does_not_name(bench: Bench) -> None:
    opening = next(item for item in bench.items if item.leaf.kind == "opening")
    bench.under(opening.evidence["period_key"], "a" * 64)
    assert Fault.PERIOD_KEY_DIFFERS in bench.faults()


@pytest.mark.parametrize("change", [{"log_key": "x"}, {"origin": "elsewhere"}])
def test_genesis_under_another_key_or_origin(bench: Bench, change: dict[str, str]) -> None:
    bench.forger.change(bench.items[0], lambda evidence: evidence.update(change))
    assert Fault.GENESIS_DIFFERS in bench.faults()
