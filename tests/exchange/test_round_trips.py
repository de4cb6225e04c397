"""Whole exchanges over real sockets, as a party's own client makes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway


def fields(live: LiveGateway, kind: str, party: str = "ministry") -> dict[str, str]:
    content: dict[str, str] = json.loads((live.party(party) / "requests" / f"{kind}.json").read_text())
    return content


@pytest.mark.parametrize("party", ["cooperative", "ministry"])
def test_echo_is_answered_signed_recorded_and_proven(live: LiveGateway, party: str) -> None:
    client = live.client(party)
    answer = client.send(client.prepare("echo", {"message": "Bonjour, ça va?"}, salted=False))
    assert (answer.status, answer.bound) == (200, True)
    assert json.loads(answer.body) == {"message": "Bonjour, ça va?"}
    place = client.prove(answer, within=5)
    assert place is not None
    assert place.index > 0


def test_a_confirmed_birth_gives_a_handle_and_a_salt(live: LiveGateway) -> None:
    client = live.client("ministry")
    answer = client.send(client.prepare("nirec.verify", fields(live, "confirmed"), salted=True))
    content = json.loads(answer.body)
    assert answer.status == 200
    assert content["outcome"] == "confirmed"
    assert len(content["handle"]) == 64
    assert content.keys() == {"outcome", "handle", "salt"}


@pytest.mark.parametrize("kind", ["wrong_name", "unknown", "namesake"])
def test_no_handle_without_confirmation(live: LiveGateway, kind: str) -> None:
    client = live.client("ministry")
    content = json.loads(client.send(client.prepare("nirec.verify", fields(live, kind), salted=True)).body)
    assert content["outcome"] != "confirmed"
    assert "handle" not in content


def test_two_parties_have_handles_of_their_own_and_stable_ones(live: LiveGateway) -> None:
    handles = {}
    for party in ("cooperative", "ministry"):
        client = live.client(party)
        seen = {
            json.loads(client.send(client.prepare("nirec.verify", fields(live, "twin", party), salted=True)).body)[
                "handle"
            ]
            for _ in range(2)
        }
        assert len(seen) == 1
        handles[party] = seen.pop()
    assert handles["cooperative"] != handles["ministry"]


def test_not_found_is_told_apart_only_where_the_agreement_says_so(live: LiveGateway) -> None:
    outcomes = {}
    for party in ("cooperative", "ministry"):
        client = live.client(party)
        answer = client.send(client.prepare("nirec.verify", fields(live, "unknown", party), salted=True))
        outcomes[party] = json.loads(answer.body)["outcome"]
    assert outcomes == {"cooperative": "not_confirmed", "ministry": "not_found"}
