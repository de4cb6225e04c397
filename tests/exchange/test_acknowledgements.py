"""Acknowledgements over real sockets (L12): an exchange of their own, for one's own answers only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from gateway.client.verifier import VerifiedAnswer
    from tests.exchange.live import LiveGateway, Shown

OTHER_LEAF = "A" * 43 + "="


def echoed(live: LiveGateway, party: str = "ministry") -> VerifiedAnswer:
    return live.verified(live.draft(party).signed(), live.tls(party))


def said(answer: VerifiedAnswer, **changes: Any) -> dict[str, Any]:
    right = {"answer_digest": answer.headers["content-digest"], "handle": None, "ledger_leaf": answer.ledger_leaf}
    return right | changes


def canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def acknowledge(
    live: LiveGateway, exchange_id: str, body: bytes, party: str = "ministry", **changes: Any
) -> tuple[VerifiedAnswer, Shown]:
    """The acknowledgement's answer, verified: a refusal is signed too."""
    target = f"/v1/exchanges/{exchange_id}/acknowledgement"
    request = live.draft(party).but(target=target, body=body, **changes).signed()
    shown = live.exchange(request, live.tls(party))
    return live.verify(request, shown), shown


def test_an_answer_is_acknowledged_by_its_own_client(live: LiveGateway) -> None:
    client = live.client("ministry")
    request = client.prepare("echo", {"message": "reçu?"}, salted=False)
    answer = client.send(request)
    made = client.acknowledge(request, answer, handle=None)
    assert made.answer.status == 200
    assert json.loads(made.answer.body) == {"acknowledged": answer.exchange_id}
    assert made.answer.exchange_id != answer.exchange_id
    place = client.prove(made.answer, within=5)
    assert place is not None


def test_an_acknowledgement_repeats_the_handle(live: LiveGateway) -> None:
    client = live.client("ministry")
    fields = json.loads((live.party("ministry") / "requests" / "confirmed.json").read_text())
    request = client.prepare("nirec.verify", fields, salted=True)
    answer = client.send(request)
    made = client.acknowledge(request, answer, handle=json.loads(answer.body)["handle"])
    assert made.answer.status == 200


def test_an_acknowledgement_is_claimed_once(live: LiveGateway) -> None:
    answer = echoed(live)
    target = f"/v1/exchanges/{answer.exchange_id}/acknowledgement"
    request = live.draft().but(target=target, body=canonical(said(answer))).signed()
    assert live.exchange(request).status == 200
    again = live.exchange(request)
    assert (again.status, again.json()["code"]) == (409, "replayed")


def test_another_party_s_exchange_and_none_look_the_same(live: LiveGateway) -> None:
    answer = echoed(live, "cooperative")
    body = canonical(said(answer))
    others, unknown = (acknowledge(live, target, body)[1] for target in (answer.exchange_id, str(uuid4())))
    for shown in (others, unknown):
        assert (shown.status, shown.json()["code"]) == (404, "exchange_unknown")
    differing = {"exchange_id"}
    assert {k: v for k, v in others.json().items() if k not in differing} == {
        k: v for k, v in unknown.json().items() if k not in differing
    }


def test_a_refusal_is_no_answer_to_acknowledge(live: LiveGateway) -> None:
    refused = live.verified(live.draft(agreement="NONE").signed())
    _, shown = acknowledge(live, refused.exchange_id, canonical(said(refused)))
    assert (shown.status, shown.json()["code"]) == (404, "exchange_unknown")


def test_another_leaf_is_named(live: LiveGateway) -> None:
    answer = echoed(live)
    verified, shown = acknowledge(live, answer.exchange_id, canonical(said(answer, ledger_leaf=OTHER_LEAF)))
    problem = shown.json()
    assert (shown.status, problem["code"], problem["component"]) == (409, "acknowledgement_differs", "ledger_leaf")
    assert verified.bound


@pytest.mark.parametrize(
    ("change", "code", "component"),
    [
        (lambda f: json.dumps(f).encode(), "body_not_canonical", None),
        (lambda f: canonical(f)[:-1] + b" }", "body_not_canonical", None),
        (lambda f: canonical({k: f[k] for k in ("handle", "ledger_leaf")}), "field_invalid", "answer_digest"),
        (lambda f: canonical(f | {"handle": "x"}), "field_invalid", "handle"),
        (lambda f: canonical(f | {"answer_digest": "sha-512=:AA==:"}), "field_invalid", "answer_digest"),
        (lambda f: canonical(f | {"exchange_id": str(uuid4())}), "field_invalid", "exchange_id"),
        (lambda f: canonical(f | {"note": "a"}), "field_invalid", "unknown field"),
    ],
    ids=["spaces", "a_space", "no_digest", "bad_handle", "other_digest", "id_said_twice", "more"],
)
def test_a_body_that_is_not_an_acknowledgement(live: LiveGateway, change: Any, code: str, component: str) -> None:
    answer = echoed(live)
    _, shown = acknowledge(live, answer.exchange_id, change(said(answer)))
    problem = shown.json()
    assert (problem["code"], problem.get("component")) == (code, component)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"agreement": "ESSAI-COOP"}, "not_agreed"),
        ({"agreement": "NONE"}, "not_agreed"),
        ({"purpose": "autre"}, "purpose_not_agreed"),
    ],
    ids=["agreement_of_another", "no_agreement", "another_purpose"],
)
def test_an_acknowledgement_comes_under_an_agreement(live: LiveGateway, terms: dict[str, str], code: str) -> None:
    answer = echoed(live)
    _, shown = acknowledge(live, answer.exchange_id, canonical(said(answer)), **terms)
    assert (shown.status, shown.json()["code"]) == (403, code)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/exchanges/{exchange_id}/acknowledgement",
        "/v1/exchanges/%2e%2e/acknowledgement",
        "/v1/exchanges//acknowledgement",
        "/v1/exchanges/a/b/acknowledgement",
    ],
)
def test_a_path_has_one_spelling(live: LiveGateway, target: str) -> None:
    answer = echoed(live)
    request = live.draft().but(target=target, body=canonical(said(answer))).signed()
    assert live.exchange(request).json()["code"] == "operation_unknown"


def test_an_agreement_for_acknowledgements_only_opens_nothing_else(live: LiveGateway) -> None:
    """The party's agreement need not name the operation, and yet no other operation profits from that."""
    shown = live.exchange(live.verification().but(agreement="ESSAI-MIN", purpose="essai").signed())
    assert (shown.status, shown.json()["code"]) == (403, "not_agreed")
