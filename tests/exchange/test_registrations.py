"""Registrations through real processes: one by its handle, a search that never lists, by REST and SOAP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.evidence import Book
from tests.scenarios.soap_party import draft, exchanged, payload
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway

GET, SEARCH = "registration.get", "registration.search"


@pytest.fixture
def town(cooperative: LiveGateway, live: LiveGateway) -> LiveGateway:
    """The running gateway with both registries."""
    return live


def ask(town: LiveGateway, operation: str, fields: dict[str, Any], party: str = "ministry") -> dict[str, Any]:
    client = town.client(party)
    answer = client.send(client.prepare(operation, fields, salted=operation != GET))
    said: dict[str, Any] = json.loads(answer.body)
    return said | {"status": answer.status, "exchange": answer.exchange_id}


def sample(town: LiveGateway, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((town.party("ministry") / "requests" / f"{name}.json").read_text())
    return found


def evidence(town: LiveGateway, exchange_id: str) -> dict[str, Any]:
    (kept,) = Book(town.folder / "gateway" / "log", town.folder / "trust").of(exchange_id, 20)
    return kept.evidence


def test_a_child_is_searched_for_then_looked_up_under_the_caller_s_own_handle(town: LiveGateway) -> None:
    asked = sample(town, "search")
    found = ask(town, SEARCH, asked)
    (hit,) = found["hits"]
    assert (found["status"], found["outcome"]) == (200, "found")
    assert hit.items() >= asked.items()
    got = ask(town, GET, {"handle": hit["handle"]})
    assert got["status"] == 200
    assert {name: got[name] for name in ("family_name", "given_names", "birth_date", "region", "handle")} == hit
    # the agreement does not name them
    assert "parents" not in got
    # the same child as the one whose NIREC the ministry verifies
    assert ask(town, "nirec.verify", sample(town, "confirmed"))["handle"] == hit["handle"]
    said = [evidence(town, one["exchange"]) for one in (found, got)]
    assert said[0]["subjects"] == said[1]["subjects"] == [{"ledger": said[0]["subjects"][0]["ledger"]} | {
        "handle": hit["handle"]
    }]  # fmt: skip
    # the cooperative was asked under its own
    target = next(line for line in said[1]["upstream"][0]["request"]["base"].splitlines() if "@target-uri" in line)
    assert hit["handle"] not in target
    assert "/v1/registrations/" in target


def test_the_same_by_soap(town: LiveGateway) -> None:
    asked = sample(town, "search")
    body = payload(SEARCH, {name: asked[name] for name in ("family_name", "given_names", "birth_date")} | {
        "salt": fresh_salt()
    })  # fmt: skip
    hit = exchanged(town, draft(town, SEARCH, payload=body)).fields
    rest = ask(town, SEARCH, asked)["hits"][0]
    assert {name: hit[name] for name in rest} == rest
    got = exchanged(town, draft(town, GET, payload=payload(GET, {"handle": rest["handle"]}))).fields
    by_rest = ask(town, GET, {"handle": rest["handle"]})
    alike = by_rest.keys() - {"salt", "status", "exchange"}
    assert {name: got[name] for name in alike} == {name: by_rest[name] for name in alike}


def test_what_is_refused_and_whom_it_does_not_reach(town: LiveGateway) -> None:
    before = town.counter("cooperative")
    refused = [
        ask(town, SEARCH, {"family_name": "Tremblay"}),
        ask(town, SEARCH, {"family_name": "Tremblay", "region": "06"}),
        ask(town, GET, {"handle": "0" * 64}),
        # of a child that the cooperative was never told of it is not asked
        ask(town, GET, {"handle": ask(town, "subject.expect", {"reference": "dossier 9"})["handle"]}),
    ]
    assert [(one["status"], one["code"]) for one in refused] == [
        (422, "too_few_criteria"), (422, "too_few_criteria"), (404, "handle_unknown"), (404, "not_registered"),
    ]  # fmt: skip
    assert town.counter("cooperative") == before
