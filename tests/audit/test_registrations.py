"""Look-ups and searches as the audit follows them: no more than a list may name, each child once, told as it was."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from adapters.cooperative.sandbox.answering import answered
from adapters.cooperative.sandbox.changing import Registrar
from adapters.cooperative.sandbox.storage import Registry
from adapters.sandboxing.messages import Call
from gateway.audit.verdict import Fault
from tests.audit.answered import KeepingParty
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.kept_by_both import KeepingGateway
from tests.audit.test_translate import translated
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.mapping.rest_call import RestCall

SEARCH, GET = "registration.search", "registration.get"


class Town:
    """A gateway in this process, over a registry of its own making; both sides keep what they were sent."""

    def __init__(self, folder: Path) -> None:
        self.gateway = gateway = KeepingGateway(folder / "gateway")
        self.log, self.trust = gateway.settings.folders.log, gateway.folder / "trust"
        self.party = KeepingParty(gateway, "ministry", folder / "receipts")
        self.kept = self.party.bodies
        self.kept.mkdir()
        self.registry = Registry(f"sqlite:///{gateway.folder / 'sandbox' / 'cooperative' / 'registrations.sqlite'}")
        self.registrar = Registrar(self.registry, b"of states", gateway.clock.now)
        gateway.counting.says = self.says
        # two of one family and a day: found together
        rows = [kept.row for handle in self.registry.handles() if (kept := self.registry.by_handle(handle))]
        days = [(row["family_name"], row["birth_date"]) for row in rows]
        self.twins = next(day for day in days if days.count(day) == 2)
        self.found = self.search(*self.twins)
        self.got = self.get(self.found["hits"][0]["handle"])
        self.nobody = self.search("Personne", "2020-01-01")
        self.nothing = self.get(self.found["hits"][1]["handle"], {"outcome": "not_found"})
        self.wide = self.search(*self.twins, {"outcome": "too_many", "hits": []})
        hits = [{"handle": "f" * 64, "family_name": "Personne", "region": "06"}]
        self.stranger = self.search(*self.twins, {"outcome": "found", "hits": hits})
        gateway.worker.close()
        gateway.sequence()
        gateway.sequence()

    def says(self, call: RestCall, instead: dict[str, object] | None = None) -> bytes:
        said = answered(
            Call(call.method, call.target, call.body), self.registry, self.registrar, self.gateway.clock.now()
        )
        return json.dumps(said if instead is None else instead | {"salt": fresh_salt()}).encode()

    def search(self, family: str, day: str, instead: dict[str, object] | None = None) -> dict[str, Any]:
        fields = {"family_name": family, "birth_date": day, "salt": fresh_salt()}
        return self._asked(
            lambda: self.party.ask(
                "/v1/registrations/search", json.dumps(fields).encode(), "ENT-2026-11", "admissibilite"
            ),
            instead,
        )

    def get(self, handle: str, instead: dict[str, object] | None = None) -> dict[str, Any]:
        return self._asked(
            lambda: self.party.read(f"/v1/registrations/{handle}", "ENT-2026-10", "admissibilite"), instead
        )

    def _asked(self, ask: Callable[[], Any], instead: dict[str, object] | None) -> dict[str, Any]:
        self.gateway.counting.says = lambda call: self.says(call, instead)
        exchanged = ask()
        said: dict[str, Any] = json.loads(exchanged.answer.body)
        return said | {"exchange": exchanged.exchange_id}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def bench(town: Town, tmp_path: Path) -> Bench:
    shutil.copytree(town.trust, tmp_path / "trust")
    return Bench(Forger(town.gateway), tmp_path / "forged", tmp_path / "trust")


def test_the_log_holds(bench: Bench, town: Town) -> None:
    assert bench.faults() == set()
    found, got, nobody = (bench.one(SEARCH), bench.one(GET), bench.one(SEARCH, nth=1))
    handles = [hit["handle"] for hit in town.found["hits"]]
    assert [one["handle"] for one in found.evidence["subjects"]] == handles
    assert not [one for one in found.evidence["subjects"] if "role" in one]
    assert got.evidence["subjects"] == found.evidence["subjects"][:1]
    assert (town.nobody["hits"], nobody.evidence["subjects"]) == ([], [])


def test_too_many_hits_are_none_and_no_number(bench: Bench, town: Town) -> None:
    assert (town.wide["code"], town.wide["status"], "hits" in town.wide) == ("search_too_wide", 403, False)
    refused = bench.one(SEARCH, "refusal", "search_too_wide").evidence
    assert (refused["subjects"], refused["fields"]) == ([], [])
    assert refused["upstream"][0]["outcome"] == "answered"


def test_a_child_without_registration_is_refused_the_same_way(bench: Bench, town: Town) -> None:
    assert (town.nothing["code"], town.nothing["status"]) == ("not_registered", 404)
    assert bench.one(GET, "refusal", "not_registered").evidence["subjects"] == []


def test_a_child_whom_nobody_told_the_registry_of(town: Town) -> None:
    assert town.stranger["code"] == "upstream_malformed"
    assert "f" * 64 not in json.dumps(town.stranger)


@pytest.mark.parametrize(("most", "faults"), [(2, set()), (1, {Fault.OVER_BUDGET})])
def test_more_children_in_a_window_than_the_budget_are_a_finding(bench: Bench, most: int, faults: set[Fault]) -> None:
    """Two were found; the same log under a first policy that allows so many."""
    bench.under("subjects: 500\n", f"subjects: {most}\n")
    assert bench.faults() == faults


def _more(subjects: list[dict[str, str]]) -> None:
    subjects += [{"ledger": f"{number:064}", "handle": f"{number:064}"} for number in range(9)]


_FORGED: dict[str, tuple[str, Callable[[list[dict[str, str]]], Any], Fault]] = {
    "more_than_the_cap": (SEARCH, _more, Fault.SUBJECTS_DIFFER),
    "one_of_them_twice": (SEARCH, lambda subjects: subjects[1].update(subjects[0]), Fault.SUBJECTS_DIFFER),
    "a_merge_in_a_list": (SEARCH, lambda subjects: subjects[0].update(role="survivor"), Fault.SUBJECTS_DIFFER),
    "a_look_up_of_nobody": (GET, lambda subjects: subjects.clear(), Fault.FIELDS_NOT_AGREED),
    "a_look_up_of_two": (GET, lambda subjects: subjects.extend(_two()), Fault.SUBJECTS_DIFFER),
}


def _two() -> list[dict[str, str]]:
    return [{"ledger": "0" * 64, "handle": "1" * 64}]


@pytest.mark.parametrize("case", _FORGED)
def test_subjects_that_such_an_exchange_does_not_have(bench: Bench, case: str) -> None:
    operation, change, fault = _FORGED[case]
    bench.forger.change(bench.one(operation), lambda evidence: change(evidence["subjects"]))
    assert bench.faults() == {fault}


def test_a_list_that_evidence_says_was_not_given(bench: Bench) -> None:
    bench.forger.change(bench.one(SEARCH), lambda evidence: evidence.update(fields=["outcome"]))
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}


@pytest.mark.parametrize(
    ("operation", "told", "says"),
    [(SEARCH, "search_too_wide", "not_registered"), (GET, "not_registered", "search_too_wide")],
    ids=["search_as_look_up", "look_up_as_search"],
)
def test_a_refusal_that_such_an_operation_does_not_have(bench: Bench, operation: str, told: str, says: str) -> None:
    refused = bench.one(operation, "refusal", told)
    bench.forger.change(refused, lambda evidence: evidence.update(outcome=says))
    assert bench.faults() == {Fault.SUBJECTS_DIFFER}


def test_what_both_sides_kept_says_the_same_but_for_handles(town: Town, tmp_path: Path) -> None:
    ids = [town.found["exchange"], town.got["exchange"], town.nobody["exchange"]]
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in town.kept.iterdir():
        if path.name.partition(".")[0] in ids:
            shutil.copy2(path, kept)
    verdict = translated(town, kept, town.gateway.kept_there)  # type: ignore[arg-type]  # it has what is asked of a run
    assert verdict.findings == ()
    assert verdict.translated is not None
    assert (verdict.translated.requests, verdict.translated.answers, verdict.translated.failed) == (3, 3, 0)
