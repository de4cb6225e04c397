"""What the upstream was asked and answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.verdict import Fault
from gateway.development_policy import REGISTRY
from gateway.keys.files import FileKeystore
from gateway.ledger.encoding import decode64, encode64, timestamp
from gateway.model import CertificateProof
from gateway.signing import soap_names as n
from gateway.signing.soap_sign import SoapSigner
from tests.audit.gateway_run import envelope

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.audit.bench import Bench


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


@dataclass
class _Then:
    """A clock that stands still."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def _signed(keys: Path, headers: dict[str, str], at: datetime, confirms: bytes | None = None) -> dict[str, Any]:
    """A SOAP message of a key's holder, as evidence keeps it, but for the proof of its key."""
    signer = SoapSigner(FileKeystore(keys, signing=["signing"]), lambda _: CertificateProof("", (), ()), _Then(at))
    part = signer.sign(envelope(headers), list(headers), confirms)
    kept = {name: encode64(block) for name, block in part.headers.items()}
    return {"signed_info": encode64(part.signed_info), "signature": encode64(part.signature), "headers": kept}


_ASKED = {n.TO: "https://registry.test/v1", n.ACTION: "urn:a", n.MESSAGE_ID: "urn:uuid:x"}


@pytest.mark.parametrize("missing", [None, n.TO, n.ACTION, n.MESSAGE_ID])
def test_upstream_request_that_does_not_sign(bench: Bench, missing: str | None) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    headers = {tag: text for tag, text in _ASKED.items() if tag != missing}
    part = _signed(bench.forger.gateway.settings.folders.keys, headers, refused.leaf.time)
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0]["request"].update(part))
    assert bench.faults() == (set() if missing is None else {Fault.UPSTREAM_DIFFERS})


@pytest.mark.parametrize("missing", [None, n.ACTION, n.MESSAGE_ID, n.RELATES_TO])
def test_upstream_answer_that_does_not_sign(bench: Bench, missing: str | None) -> None:
    item = bench.one("nirec.verify")
    attempt = item.evidence["upstream"][0]
    asked = decode64(attempt["request"]["headers"]["id-MessageID"]).decode().partition(">")[2].partition("<")[0]
    headers = {n.ACTION: "urn:a", n.MESSAGE_ID: "urn:uuid:y", n.RELATES_TO: asked}
    headers.pop(missing or "", None)
    keys = bench.forger.gateway.folder / "sandbox" / REGISTRY
    part = _signed(keys, headers, item.leaf.time, decode64(attempt["request"]["signature"]))
    bench.forger.change(item, lambda evidence: evidence["upstream"][0]["answer"].update(part))
    assert bench.faults() == (set() if missing is None else {Fault.UPSTREAM_DIFFERS})


def test_upstream_message_of_another_hour(bench: Bench) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    earlier = refused.leaf.time - timedelta(hours=1)
    part = _signed(bench.forger.gateway.settings.folders.keys, _ASKED, earlier)
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0]["request"].update(part))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_upstream_attempt_before_its_exchange(bench: Bench) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    earlier = timestamp(refused.leaf.time - timedelta(minutes=2))
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0].update(at=earlier))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_upstream_attempt_of_an_unknown_outcome(bench: Bench) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0].update(outcome="whatever"))
    assert bench.faults() == {Fault.UPSTREAM_DIFFERS}


def test_upstream_timeout_told_as_an_answer(bench: Bench) -> None:
    refused = bench.one("nirec.verify", kind="refusal", outcome="upstream_timeout")
    bench.forger.change(refused, lambda evidence: evidence["upstream"][0].update(outcome="answered"))
    assert bench.faults() == {Fault.UPSTREAM_DIFFERS}
