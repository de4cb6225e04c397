"""Exchanges by SOAP hold as those by REST do, in the same log, and whole in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.audit.questions.export import make_export
from gateway.audit.questions.export_check import verify_export
from gateway.audit.trust import load_trust
from tests.audit.asked import Asked
from tests.audit.soap_forge import SoapExchange, SoapRefusal, by_soap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.bench import Bench

MESSAGE_ID = "urn:uuid:0a1b2c3d-0000-4000-8000-00000000000A"


@pytest.mark.parametrize("form", ["soap11", "soap12"])
def test_exchanges_and_refusals_by_soap(bench: Bench, form: str) -> None:
    by_soap(bench, form)
    assert bench.faults() == set()


def test_a_refusal_that_names_a_request_which_evidence_does_not(bench: Bench) -> None:
    """Evidence may keep less of a request than its answer repeats, where both are strictly valid (C6)."""
    made = SoapRefusal(bench.forger, bench.one(kind="refusal", outcome="replayed"), MESSAGE_ID)
    made.change = lambda evidence: evidence.update(nonce=None)
    made.write()
    assert bench.faults() == set()


def test_they_are_exported_and_asked_for_as_others_are(bench: Bench, trust: Path, tmp_path: Path) -> None:
    item = bench.one("nirec.verify")
    SoapExchange(bench.forger, item, "ministry").write()
    log = bench.forger.write(bench.items, tmp_path / "log")
    anchors = load_trust(trust)
    data = make_export(log, (log / "checkpoint").read_bytes(), anchors, item.leaf.exchange_id)
    verdict = verify_export(data, anchors)
    assert verdict.proven is not None
    assert (verdict.proven.operation, verdict.proven.outcome) == ("nirec.verify", "released")
    told = Asked(log, trust).find(subject=item.evidence["subjects"][0]["handle"])
    assert item.leaf.exchange_id in {row.exchange_id for row in told.rows}
