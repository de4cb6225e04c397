"""Records of a batch cost what single verifications do (P4, N4): a file is no way around the budget."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.civil_registry.sandbox.births import make_births
from contracts.loader import load_contracts
from gateway.audit.audit import audit
from gateway.development_policy import AGREEMENTS, BUDGETS
from gateway.places import contracts_folder
from tests.audit.answered import KeepingParty
from tests.audit.kept_by_both import KeepingGateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.verdict import Finding

BATCHES = "/v1/nirec/verification-batches"


class Cabinet:
    """A ministry that verifies a file, of which its agreement allows two children a day."""

    def __init__(self, folder: Path) -> None:
        self.gateway = KeepingGateway(folder / "gateway")
        self.gateway.change(_narrow)
        self.party = KeepingParty(self.gateway, "ministry", folder / "receipts")
        self.party.bodies.mkdir()
        self.births = make_births(3)
        self.batch = self.open(str(uuid4()))["batch"]

    def open(self, key: str | None, records: int = 9) -> dict[str, Any]:
        opened = {"records": records, "rejected": 0, "commitment": "ab" * 32}
        return self._ask(BATCHES, opened, "ENT-2026-18-OUVRIR", key)

    def line(self, number: int, child: int, again: str = "", agreement: str = "ENT-2026-18") -> dict[str, Any]:
        one = self.births[child]
        fields = {
            "nirec": one.nirec, "family_name": one.family_name, "given_names": one.given_names,
            "birth_date": str(one.birth_date), "salt": fresh_salt(),
        }  # fmt: skip
        return self._ask(f"{BATCHES}/{self.batch}/records/{number}{again}", fields, agreement)

    def audited(self) -> tuple[Finding, ...]:
        self.gateway.worker.close()
        self.gateway.sequence()
        self.gateway.sequence()
        return audit(self.gateway.settings.folders.log, self.gateway.folder / "trust").findings

    def _ask(self, target: str, fields: dict[str, Any], agreement: str, key: str | None = None) -> dict[str, Any]:
        exchanged = self.party.ask(target, json.dumps(fields).encode(), agreement, "admissibilite", key)
        said: dict[str, Any] = json.loads(exchanged.answer.body)
        return said


def _narrow(bundle: dict[str, Any]) -> None:
    for agreement, subjects in (("ENT-2026-18", 2), ("ENT-2026-18-REPRENDRE", 1)):
        bundle["agreements"][agreement]["budget"] = {"subjects": subjects, "window_hours": 24}


def test_a_batch_spends_its_agreement_s_budget_and_the_audit_follows(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path)
    cabinet.gateway.registry.results = ["CONFIRME", "INTROUVABLE", "CONFIRME", "CONFIRME"]
    assert [cabinet.line(1, 0)["outcome"], cabinet.line(2, 1)["outcome"]] == ["confirmed", "not_found"]
    # another child is one too many, whatever its line; the registry is not asked, and the line stays free
    assert cabinet.line(3, 2)["code"] == "budget_spent"
    # whoever counts already costs nothing more
    assert cabinet.line(3, 0)["outcome"] == "confirmed"
    assert len(cabinet.gateway.registry.results) == 1
    # and what is given again is told again: it has a budget of its own
    answered = [cabinet.line(number, number - 1, "/answer", "ENT-2026-18-REPRENDRE") for number in (1, 2)]
    assert (answered[0]["outcome"], answered[1]["code"]) == ("confirmed", "budget_spent")
    assert cabinet.audited() == ()


def test_one_key_opens_one_batch_and_the_audit_follows(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path)
    key = str(uuid4())
    first, again, other = cabinet.open(key), cabinet.open(key), cabinet.open(str(uuid4()))
    assert first == again
    assert len({cabinet.batch, first["batch"], other["batch"]}) == 3
    # the key stands for that message alone, and nothing is opened without one
    assert cabinet.open(key, records=10)["code"] == "idempotency_conflict"
    assert cabinet.open(None)["code"] == "idempotency_key_missing"
    assert cabinet.audited() == ()


def test_whatever_is_tried_or_told_of_a_child_has_a_budget_in_a_fresh_set_up() -> None:
    operations = {
        name: one for contract in load_contracts(contracts_folder()) for name, one in contract.operations.items()
    }
    costs = {
        operation
        for _, operation, *_ in AGREEMENTS.values()
        if (rule := operations[operation].reduction if operation in operations else None) is not None
        and (rule.identifier is not None or rule.act in {"read", "list"})
    }
    assert {"nirec.verify", "batch.verify", "registration.get"} < costs
    assert costs == set(BUDGETS)
