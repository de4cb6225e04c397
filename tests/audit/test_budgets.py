"""A budget through a whole gateway, by REST and SOAP: refused, signed, recorded, and the audit follows."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import audit
from gateway.audit.budgets import _ROW, BudgetRows, Spans
from gateway.audit.subjects import Merges
from gateway.audit.verdict import Fault
from gateway.guard.budgets import Window
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import NIREC_TARGET
from tests.audit.kept_by_both import VERIFICATION
from tests.audit.test_registrations import Town
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.audit.answered import Exchanged

VERIFY = "nirec.verify"
BUDGETS = {"ENT-2026-02": 3, "ENT-2026-10": 2, "ENT-2026-11": 12}
DAY = 86400
UNASKED = ["CONFIRME"] * 4


def narrow(bundle: dict[str, Any]) -> None:
    for agreement, subjects in BUDGETS.items():
        bundle["agreements"][agreement]["budget"] = {"subjects": subjects, "window_hours": 24}
    _glass(bundle)["break_glass"] = {"subjects": 5, "hours": 4}


def _glass(bundle: dict[str, Any]) -> dict[str, Any]:
    budget: dict[str, Any] = bundle["agreements"]["ENT-2026-02"]["budget"]
    return budget


def _hour(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:00:00Z")


def child(digit: str) -> dict[str, str]:
    return VERIFICATION | {"nirec": digit * 13, "family_name": f"Fictif-{digit}"}


class Spent(Town):
    """One party, and what it was answered until nothing was left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)  # which finds two, and looks both up
        gateway = self.gateway
        gateway.worker = gateway._worker()
        gateway.change(narrow)
        registry = gateway.registry
        registry.results = ["CONFIRME", "INTROUVABLE", "CONFIRME", "CONFIRME", *UNASKED]
        self.by_rest = [self.verify("1"), self.verify("2")]
        self.by_soap = [self._soap("3"), self._soap("4")]
        fields = child("5") | {"salt": fresh_salt()}
        request = gateway.sign("ministry", NIREC_TARGET, fields, agreement="ENT-2026-02", purpose="admissibilite")
        self.refused = gateway.send("ministry", request)
        self.again = self.verify("1")
        self.unasked = list(registry.results)
        self.searched = [self.search(*self.twins), self.search(*self.twins, {"outcome": "too_many", "hits": []})]
        self.searched += [self.search(*self.twins), self.search("Personne", "2020-01-01")]
        other = next(row for handle in self.registry.handles() if (row := self._other(handle)))
        self.searched += [self.search(*other), self.search(*self.twins)]
        handles = [hit["handle"] for hit in (*self.found["hits"], *self.searched[4]["hits"])]
        self.got_then = [self.get(handle) for handle in (handles[0], handles[1], handles[2], handles[0])]
        night = {"since": _hour(gateway.clock.now()), "until": _hour(gateway.clock.now() + timedelta(hours=3))}
        gateway.change(lambda bundle: _glass(bundle).update(raised={"subjects": 1, "validity": night}))
        self.raised = [self.verify(digit).answer.status for digit in "67"]
        merge = {"handle": "0" * 64, "other_handle": "1" * 64, "reason": "new_number"}
        self.party.ask("/v1/subjects/merges", json.dumps(merge).encode(), "ENT-2026-08", "admissibilite")
        gateway.worker.close()
        gateway.sequence()
        gateway.sequence()

    def verify(self, digit: str) -> Exchanged:
        body = json.dumps(child(digit) | {"salt": fresh_salt()}).encode()
        return self.party.ask(NIREC_TARGET, body, "ENT-2026-02", "admissibilite")

    def _soap(self, digit: str) -> str:
        exchange = self.gateway.by_soap(self.kept, VERIFY, "soap12", **child(digit), salt=fresh_salt())
        return (self.kept / f"{exchange}.answer.xml").read_text()

    def _other(self, handle: str) -> tuple[str, str] | None:
        """A born child who is found alone."""
        kept = self.registry.by_handle(handle)
        if kept is None or kept.row["birth_date"] is None:
            return None
        day = (kept.row["family_name"], kept.row["birth_date"])
        return None if day == self.twins else day


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Spent:
    return Spent(tmp_path_factory.mktemp("spent"))


def test_one_budget_is_spent_by_rest_and_by_soap(spent: Spent) -> None:
    assert [one.answer.status for one in spent.by_rest] == [200, 200]
    assert ["budget_spent" in one for one in spent.by_soap] == [False, True]
    assert "Le budget de divulgation" in spent.by_soap[1]
    assert spent.unasked == UNASKED, (
        "whoever is refused is refused before anybody is asked, whoever is not is asked again"
    )
    assert spent.again.answer.status == 200


def test_the_refusal_is_signed_and_says_when_to_come_back(spent: Spent) -> None:
    headers = {name.lower(): value for name, value in spent.refused.headers}
    said = json.loads(spent.refused.body)
    assert (spent.refused.status, said["code"], spent.refused.recorded) == (429, "budget_spent", True)
    assert said["title_en"] == "The agreement's disclosure budget is spent"
    assert DAY < int(headers["retry-after"]) <= DAY + DAY // 24
    assert {"signature", "ledger-leaf"} <= headers.keys()


def test_a_search_takes_beforehand_the_most_that_it_can_give(spent: Spent) -> None:
    assert [one.get("code") for one in spent.searched] == [None, "search_too_wide", None, None, None, "budget_spent"]
    assert "hits" not in spent.searched[-1]


def test_a_look_up_costs_its_child_once(spent: Spent) -> None:
    assert [one.get("code") for one in spent.got_then] == [None, None, "budget_spent", None]


def test_two_officers_raise_it_for_a_time_and_all_workers_see_it(spent: Spent) -> None:
    assert spent.raised == [200, 429]


def test_the_audit_follows(spent: Spent) -> None:
    verdict = audit(spent.log, spent.trust)
    assert verdict.findings == ()
    assert dict(verdict.facts.refusals)["budget_spent"] == 5


@pytest.fixture
def bench(spent: Spent, tmp_path: Path) -> Bench:
    shutil.copytree(spent.trust, tmp_path / "trust")
    return Bench(Forger(spent.gateway), tmp_path / "forged", tmp_path / "trust")


def says_spent(evidence: dict[str, Any]) -> None:
    evidence["outcome"] = "budget_spent"


def test_nobody_is_asked_for_whom_there_was_no_budget(bench: Bench) -> None:
    bench.forger.change(bench.one("registration.search", "refusal", "search_too_wide"), says_spent)
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_an_agreement_without_a_budget_refuses_nobody_for_it(bench: Bench) -> None:
    refused = bench.one("subject.merge", "refusal", "handle_unknown")
    bench.forger.change(refused, says_spent)
    assert bench.faults() == {Fault.REFUSAL_UNFOUNDED}


A, B, C = (bytes([number]) * 16 for number in (1, 2, 3))


def row(subject: bytes, second: int, *, most: int = 1, index: int = 0, hours: int = 24, terms: bytes = A) -> bytes:
    return _ROW.pack(subject, terms, most, hours, second, index)


def over(*rows: bytes, merged: Mapping[bytes, bytes] | None = None) -> list[int]:
    spans = Spans()
    for part in rows:  # as though each subject were in a part of its own
        spans.add(Spans().count(BudgetRows(part, merged or {})))
    spans.count(BudgetRows(bytes(spans.left), {}))
    return list(spans.over())


def test_a_window_of_the_audit_is_the_gateway_s() -> None:
    """The step that the gateway has just forgotten is the first that the audit does not count."""
    begin = 20_000 * 86_400
    late = begin + Window.of(24, datetime.fromtimestamp(begin, UTC)).kept
    assert over(row(A, begin), row(B, late - 1, index=7)) == [7]
    assert over(row(A, begin), row(B, late, index=7)) == []
    assert over(row(A, begin) + row(A, begin + 3600), row(B, late, index=7)) == [7]


def test_a_child_is_counted_once_however_often_and_whatever_it_was_merged_with() -> None:
    assert over(row(A, 0) + row(A, 5) + row(A, 86_400)) == []
    assert over(row(A, 0), row(B, 1, index=3)) == [3]
    assert over(row(A, 0), row(B, 1, index=3), merged={A: A, B: A}) == []
    assert over(row(A, 0), row(B, 1, index=3), row(C, 2, index=4), merged={A: A, B: A}) == [4]


def test_agreements_are_counted_apart_and_a_lower_budget_does_not_reach_back() -> None:
    assert over(row(A, 0), row(B, 1, terms=B)) == []
    assert over(row(A, 0, most=2), row(B, 1, most=2) + row(B, 3600, most=1, index=9)) == []
    assert over(row(A, 0, most=2), row(B, 1, most=2), row(C, 3600, most=1, index=9)) == [9]


def test_who_is_one_child_has_one_name() -> None:
    merges = Merges()
    for pair in (("b", "a"), ("c", "b"), ("x", "y"), ("b", "d")):
        merges.take(pair)
    today = merges.today()
    assert len({today[name] for name in "abcd"}) == 1
    assert today["x"] == today["y"] != today["a"]
