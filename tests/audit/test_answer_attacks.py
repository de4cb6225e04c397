"""The answer, bound to its request and its leaf."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.audit.verdict import Fault
from gateway.ledger.encoding import encode64

if TYPE_CHECKING:
    from tests.audit.bench import Bench

_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


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
