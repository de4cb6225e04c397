"""Acknowledgements in the log, true and forged (L12)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault, Unproven
from gateway.cli.audit import Wanted, verify
from gateway.cli.output import Exit, Output
from gateway.ledger.encoding import canonical_json, encode64
from gateway.messages.catalogue import Catalogue
from gateway.signing.digest import content_digest
from tests.audit.answered import KeepingParty
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.audit.forge import Item

VERIFY = Path(__file__).parents[1] / "foreign" / "verify.py"
OPERATION = "exchange.acknowledge"
Change = dict[str, Any]


class Run:
    """A gateway whose parties acknowledge most of their answers."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder / "gateway")
        self.cooperative = KeepingParty(self.gateway, "cooperative", folder / "receipts")
        self.ministry = KeepingParty(self.gateway, "ministry", folder / "receipts")
        self.echoed = self.cooperative.echo()
        self.silent = self.cooperative.echo()
        self.verified = self.ministry.verify(fresh_salt())
        self.made = [self.cooperative.acknowledge(self.echoed) for _ in range(2)]
        self.made.append(self.ministry.acknowledge(self.verified))
        self.refused = self.ministry.acknowledge(self.echoed)
        self.cooperative.echo(agreement="NONE")
        self.gateway.worker.close()
        self.gateway.sequence()
        self.gateway.sequence()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("acknowledged"))


@pytest.fixture(scope="module")
def forger(run: Run) -> Forger:
    return Forger(run.gateway)


@pytest.fixture
def bench(forger: Forger, tmp_path: Path) -> Bench:
    return Bench(forger, tmp_path / "forged", forger.gateway.folder / "trust")


def test_what_is_acknowledged_is_counted_and_the_rest_is_not_proven(run: Run) -> None:
    assert [made.answer.status for made in run.made] == [200, 200, 200]
    assert run.refused.answer.status == 404
    verdict = audit(run.gateway.settings.folders.log, run.gateway.folder / "trust")
    assert verdict.findings == ()
    assert (verdict.facts.acknowledged, verdict.facts.unacknowledged) == (2, 1)
    assert verdict.facts.exchanges == 6
    by_party = {item.name: (item.acknowledged, item.unacknowledged) for item in verdict.facts.parties}
    assert by_party == {"cooperative": (1, 1), "ministry": (1, 0)}
    assert Unproven.ANSWERS_UNACKNOWLEDGED in verdict.unproven


def test_nothing_is_unacknowledged_where_all_answers_are(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway")
    party = KeepingParty(gateway, "cooperative", tmp_path / "receipts")
    party.acknowledge(party.echo())
    gateway.worker.close()
    gateway.sequence()
    verdict = audit(gateway.settings.folders.log, gateway.folder / "trust")
    assert verdict.holds
    assert (verdict.facts.acknowledged, verdict.facts.unacknowledged) == (1, 0)
    assert Unproven.ANSWERS_UNACKNOWLEDGED not in verdict.unproven


def test_evidence_names_what_is_acknowledged(run: Run, bench: Bench) -> None:
    said = bench.one(OPERATION).evidence["acknowledges"]
    assert said == {
        "exchange_id": run.echoed.exchange_id,
        "ledger_leaf": run.echoed.answer.ledger_leaf,
        "answer_digest": run.echoed.answer.headers["content-digest"],
        "handle": None,
    }
    handle = bench.one(OPERATION, nth=2).evidence["acknowledges"]["handle"]
    assert handle == json.loads(run.verified.answer.body)["handle"]
    assert "acknowledges" not in bench.one("echo").evidence


def test_a_log_written_again_unchanged_holds(bench: Bench) -> None:
    for item in bench.items:
        if item.record.answer_base:
            bench.forger.change(item, lambda _: None)
    assert bench.faults() == set()


def colluding(bench: Bench, item: Item, party: str = "cooperative", **changes: str | None) -> None:
    """The acknowledgement of a caller who signs something else: the body's digest follows."""

    def change(evidence: Change) -> None:
        before = evidence["acknowledges"]["exchange_id"]
        said = evidence["acknowledges"] = evidence["acknowledges"] | changes
        request = evidence["request"]
        body = canonical_json({name: value for name, value in said.items() if name != "exchange_id"})
        old, request["content_digest"] = request["content_digest"], content_digest(body)
        request["base"] = request["base"].replace(old, request["content_digest"]).replace(before, said["exchange_id"])

    bench.forger.request(item, party, change)


def test_an_acknowledgement_of_no_exchange(bench: Bench) -> None:
    colluding(bench, bench.one(OPERATION), exchange_id=str(uuid4()))
    assert bench.faults() == {Fault.ACKNOWLEDGEMENT_UNFOUNDED}


@pytest.mark.parametrize(
    "changes",
    [{"answer_digest": content_digest(b"another")}, {"handle": "0" * 64}],
    ids=["digest", "handle"],
)
def test_what_a_caller_alone_signed_falsely_is_a_dispute(
    run: Run, forger: Forger, bench: Bench, tmp_path: Path, changes: dict[str, str]
) -> None:
    item = bench.one(OPERATION)
    colluding(bench, item, **changes)
    verdict = audit(forger.write(bench.items, tmp_path / "disputed"), run.gateway.folder / "trust")
    assert verdict.findings == ()
    assert [(one.party, one.exchange_id, one.acknowledged_by, one.terms) for one in verdict.disputes] == [
        ("cooperative", run.echoed.exchange_id, str(item.leaf.exchange_id), tuple(changes))
    ]


def test_an_acknowledgement_of_another_leaf(bench: Bench) -> None:
    """The gateway compares the leaf at the time of the call: it would not have taken it."""
    colluding(bench, bench.one(OPERATION), ledger_leaf=encode64(bytes(32)))
    assert bench.faults() == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_an_acknowledgement_of_another_party_s_exchange(run: Run, bench: Bench) -> None:
    answer = run.verified.answer
    colluding(
        bench,
        bench.one(OPERATION),
        exchange_id=answer.exchange_id,
        ledger_leaf=answer.ledger_leaf,
        answer_digest=answer.headers["content-digest"],
        handle=json.loads(answer.body)["handle"],
    )
    assert bench.faults() == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_an_acknowledgement_under_another_agreement_than_its_exchange(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = Gateway(tmp_path / "gateway")
    party = KeepingParty(gateway, "cooperative", tmp_path / "receipts")
    made = party.acknowledge(party.echo(), agreement="ENT-2026-01", purpose="inscription")
    # the gateway cannot know: the exchange's agreement is sealed; the audit does
    assert made.answer.status == 200
    gateway.worker.close()
    gateway.sequence()
    verdict = audit(gateway.settings.folders.log, gateway.folder / "trust")
    assert verdict.holds
    assert [item.terms for item in verdict.disputes] == [("agreement", "purpose")]
    assert verdict.disputes[0].acknowledged_by == made.exchange_id
    code = verify(Output(Catalogue("fr")), gateway.settings.folders.log, gateway.folder / "trust", Wanted(keep=True))
    said = capsys.readouterr()
    assert code == Exit.HOLDS
    assert said.out.startswith("Le registre tient; 1 litige.")
    assert "Litige: cooperative" in said.out
    assert "(entente, finalité)" in said.out
    assert any(line.endswith(verdict.facts.root) for line in said.out.splitlines())
    assert said.err == ""
    second = [sys.executable, *map(str, (VERIFY, gateway.settings.folders.log, gateway.folder / "trust"))]
    assert subprocess.run(second, capture_output=True, timeout=60, check=False).stdout == b"holds\n"
    assert (gateway.folder / "trust" / "remembered-checkpoint").exists()


def test_an_acknowledgement_that_the_caller_did_not_sign(bench: Bench) -> None:
    """The gateway alone cannot make up what was acknowledged: its digest is under the caller's signature."""
    bench.forger.change(bench.one(OPERATION), lambda evidence: evidence["acknowledges"].update(handle="0" * 64))
    assert bench.faults() == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_an_acknowledgement_moved_to_another_exchange(run: Run, bench: Bench) -> None:
    """The exchange's id stands in the path, which the caller signed."""
    silent = run.silent.exchange_id
    bench.forger.change(bench.one(OPERATION), lambda evidence: evidence["acknowledges"].update(exchange_id=silent))
    assert bench.faults() == {Fault.ACKNOWLEDGEMENT_DIFFERS}


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        (OPERATION, lambda evidence: evidence.pop("acknowledges")),
        ("echo", lambda evidence: evidence.update(acknowledges={
            "exchange_id": str(uuid4()), "ledger_leaf": encode64(bytes(32)),
            "answer_digest": content_digest(b""), "handle": None,
        })),
    ],
    ids=["none_where_the_contract_says_so", "one_where_it_does_not"],
)  # fmt: skip
def test_an_acknowledgement_is_where_the_contract_says(
    bench: Bench, operation: str, change: Callable[[Change], object]
) -> None:
    def changed(evidence: Change) -> None:
        change(evidence)

    bench.forger.change(bench.one(operation), changed)
    assert Fault.CONTRACT_DIFFERS in bench.faults()


@pytest.mark.parametrize(
    "said",
    [None, {}, {"exchange_id": "x", "ledger_leaf": "", "answer_digest": "", "handle": None}],
    ids=["null", "empty", "malformed"],
)
def test_an_acknowledgement_in_another_form(bench: Bench, said: object) -> None:
    bench.forger.change(bench.one("echo", nth=1), lambda evidence: evidence.update(acknowledges=said))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_an_acknowledgement_cannot_disclose(bench: Bench) -> None:
    bench.forger.change(bench.one(OPERATION), lambda evidence: evidence.update(fields=["acknowledged", "message"]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


def test_a_refused_acknowledgement_told_of_another_operation(bench: Bench) -> None:
    assert bench.one(OPERATION, kind="refusal", outcome="exchange_unknown").evidence["acknowledges"]["exchange_id"]
    denied = bench.one("echo", kind="refusal", outcome="not_agreed")
    bench.forger.change(denied, lambda evidence: evidence.update(outcome="exchange_unknown"))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


@pytest.mark.parametrize("code", ["line_answered", "batch_unknown", "batch_too_fast"])
def test_a_refusal_of_a_batch_s_line_told_of_another_operation(bench: Bench, code: str) -> None:
    denied = bench.one(OPERATION, kind="refusal", outcome="exchange_unknown")
    bench.forger.change(denied, lambda evidence: evidence.update(outcome=code))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_sealed_exchanges_are_held_to_their_leaf(run: Run, bench: Bench) -> None:
    """Without the period's key nothing of it is known but the leaf, and nothing is a fault."""
    for path in (run.gateway.folder / "trust").glob("periods/*.key"):
        path.rename(path.with_suffix(".away"))
    try:
        verdict = audit(run.gateway.settings.folders.log, run.gateway.folder / "trust")
    finally:
        for path in (run.gateway.folder / "trust").glob("periods/*.away"):
            path.rename(path.with_suffix(".key"))
    assert verdict.holds
    assert (verdict.facts.acknowledged, verdict.facts.unacknowledged) == (0, 0)
    assert Unproven.EVIDENCE_SEALED in verdict.unproven
