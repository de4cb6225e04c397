"""A caller's request and the certificates: as signed, by whom, when, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.request_check import keyid_of
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import canonical_json, encode64
from tests.audit.bench import Bench, rebase

if TYPE_CHECKING:
    from pathlib import Path


def test_request_signed_by_a_tls_key(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        request = evidence["request"]
        keyids = [keyid_of(request[name]["sha256"]) for name in ("signing", "tls")]
        request["base"] = request["base"].replace(*keyids)
        request["parameters"] = request["parameters"].replace(*keyids)
        request["signing"] = request["tls"]

    bench.forger.request(bench.one(), "cooperative", change, key="tls")
    assert bench.faults() == {Fault.CERTIFICATE_OF_OTHER_USE}


def test_request_that_nobody_signed(bench: Bench) -> None:
    bench.forger.change(bench.one(), rebase("https://localhost:8443", "https://elsewhere:8443"))
    assert bench.faults() == {Fault.REQUEST_SIGNATURE_INVALID}


def test_request_signed_by_another_party(bench: Bench) -> None:
    bench.forger.request(bench.one(), "ministry", lambda _: None)
    assert bench.faults() == {Fault.REQUEST_SIGNATURE_INVALID}


def test_request_to_another_operation(bench: Bench) -> None:
    bench.forger.request(bench.one(), "cooperative", rebase("/v1/echo", "/v1/nirec/verifications"))
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
    bench.forger.request(bench.one(), "cooperative", rebase(created, str(int(created) - 302)))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_request_created_in_the_future(bench: Bench) -> None:
    created = bench.one().evidence["request"]["parameters"].partition("created=")[2][:10]
    bench.forger.request(bench.one(), "cooperative", rebase(created, str(int(created) + 32)))
    assert bench.faults() == {Fault.TIME_DIFFERS}


def test_request_told_twice(bench: Bench) -> None:
    first = bench.one().evidence["request"]
    bench.forger.change(bench.one(nth=1), lambda evidence: evidence.update(request=first))
    assert bench.faults() == {Fault.REPLAYED}


def test_keyid_of_another_certificate(bench: Bench) -> None:
    parameters = bench.one().evidence["request"]["parameters"]
    keyid = parameters.partition('keyid="')[2].partition('"')[0]
    bench.forger.request(bench.one(), "cooperative", rebase(keyid, "A" * 43))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_algorithm_that_the_key_has_not(bench: Bench) -> None:
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(algorithm="ed25519"))
    assert bench.faults() == {Fault.REQUEST_DIFFERS}


def test_tls_certificate_of_another_party(bench: Bench) -> None:
    other = bench.one("nirec.verify").evidence["request"]["tls"]
    bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(tls=other))
    # its lists come first: they are of another authority
    assert bench.faults() == {Fault.CERTIFICATE_PROOF_DIFFERS}


def test_signing_certificate_in_place_of_the_tls_certificate(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        evidence["request"]["tls"] = evidence["request"]["signing"]

    bench.forger.change(bench.one(), change)
    assert bench.faults() == {Fault.CERTIFICATE_OF_OTHER_USE}


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
