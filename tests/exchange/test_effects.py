"""Effects through real processes: registrations made, changed, withdrawn; each once, however often it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.attacks.evidence import Book

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway

CREATE, CHANGE, WITHDRAW, GET = (
    "registration.create",
    "registration.change",
    "registration.withdraw",
    "registration.get",
)
NOTHING = "0" * 64
CHILD: dict[str, Any] = {
    "family_name": "Tremblay",
    "expected_date": "2027-03-01",
    "region": "06",
    "desired_on": "2027-09-01",
    "service_wanted": "cpe",
    "service_held": "none",
    "parents": [{"family_name": "Gagnon", "given_names": "Marie-Ève", "phone": "418-555-0100"}],
}


@pytest.fixture
def town(cooperative: LiveGateway, live: LiveGateway) -> LiveGateway:
    """The running gateway with both registries."""
    return live


def ask(town: LiveGateway, operation: str, fields: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    client = town.client("ministry")
    answer = client.send(client.prepare(operation, fields, salted=operation != GET, idempotency_key=key))
    said: dict[str, Any] = json.loads(answer.body)
    return said | {"status": answer.status, "exchange": answer.exchange_id}


def evidence(town: LiveGateway, exchange_id: str) -> list[dict[str, Any]]:
    return [one.evidence for one in Book(town.folder / "gateway" / "log", town.folder / "trust").of(exchange_id, 20)]


def expected(town: LiveGateway) -> str:
    return str(ask(town, "subject.expect", {"reference": "dossier 9"})["handle"])


def test_a_registration_is_made_changed_and_withdrawn(town: LiveGateway) -> None:
    handle, key = expected(town), str(uuid4())
    made = ask(town, CREATE, {"handle": handle, **CHILD}, key)
    assert (made["status"], made.get("outcome"), made.get("handle")) == (200, "registered", handle)
    assert made["state_before"] == NOTHING != made["state_after"]
    # once more, signed anew: the same answer, and no second effect
    again = ask(town, CREATE, {"handle": handle, **CHILD}, key)
    assert {name: again[name] for name in made if name != "exchange"} == {n: made[n] for n in made if n != "exchange"}
    assert ask(town, CREATE, {"handle": handle, **CHILD})["code"] == "already_registered"
    assert ask(town, CREATE, {"handle": handle, **CHILD, "region": "03"}, key)["code"] == "idempotency_conflict"
    got = ask(town, GET, {"handle": handle})
    assert got["state"] == made["state_after"]
    changed = ask(town, CHANGE, {"handle": handle, "if_state": got["state"], "region": "03"})
    assert (changed["outcome"], changed["state_before"]) == ("changed", got["state"])
    late = ask(town, CHANGE, {"handle": handle, "if_state": got["state"], "region": "13"})
    assert (late["status"], late["code"]) == (409, "state_changed")
    assert ask(town, GET, {"handle": handle})["region"] == "03"
    reason = {"handle": handle, "if_state": changed["state_after"], "reason": "family_left"}
    gone = ask(town, WITHDRAW, reason)
    assert (gone["outcome"], gone["state_before"], gone["state_after"]) == (
        "withdrawn",
        changed["state_after"],
        NOTHING,
    )
    assert ask(town, GET, {"handle": handle})["code"] == "not_registered"
    intent, exchange = evidence(town, made["exchange"])
    assert (intent["kind"], exchange["kind"]) == ("intent", "exchange")
    assert exchange["effect"] == intent["effect"] | {"before": NOTHING, "after": made["state_after"]}
