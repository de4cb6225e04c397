"""The cooperative's registry, changed: every version kept, each effect once per key, states as keyed digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from adapters.cooperative.sandbox.answering import answered
from adapters.cooperative.sandbox.changing import Registrar, Wish
from adapters.cooperative.sandbox.state import NOTHING, state_key
from adapters.cooperative.sandbox.storage import Registry, instant_text
from adapters.sandboxing.messages import Call
from gateway.errors import Code, Refusal
from tests.adapters.test_registrations import handle, made, registry, url
from tests.exchange.test_effects import CHILD

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.cooperative.sandbox.registrations import Registration

__all__ = ["made", "registry", "url"]
NEW = "f" * 64
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


class Office:
    """A registrar whose clock goes on by a minute with each change."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.at = START
        self.registrar = Registrar(registry, b"k" * 32, self._now)

    def _now(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at

    def do(self, act: str, handle: str = NEW, key: str | None = None, **fields: Any) -> dict[str, Any]:
        return self.registrar.done(Wish(act, key or str(uuid4()), handle, fields))

    def versions(self, handle: str = NEW) -> list[tuple[Any, ...]]:
        with self.registry._engine.connect() as connection:
            query = "SELECT version, since, until, region FROM registrations WHERE handle = :h ORDER BY since, version"
            rows = connection.execute(text(query), {"h": handle})
            return [tuple(row) for row in rows]


@pytest.fixture
def office(registry: Registry) -> Office:
    return Office(registry)


def test_a_registration_keeps_every_version_of_it(office: Office) -> None:
    made = office.do("create", **CHILD)
    changed = office.do("change", if_state=made["state_after"], region="03", parents=CHILD["parents"])
    gone = office.do("withdraw", if_state=changed["state_after"], reason="place_found")
    anew = office.do("create", **CHILD)
    assert [one["outcome"] for one in (made, changed, gone, anew)] == [
        "registered",
        "changed",
        "withdrawn",
        "registered",
    ]
    assert (made["state_before"], gone["state_after"]) == (NOTHING, NOTHING)
    assert changed["state_before"] == made["state_after"] == anew["state_after"] != changed["state_after"]
    first, second, third, fourth = (instant_text(START + timedelta(minutes=number)) for number in range(1, 5))
    # the same child again is another registration
    assert office.versions() == [(0, first, second, "06"), (1, second, third, "03"), (0, fourth, None, "06")]


def test_an_effect_happens_once_per_key(office: Office) -> None:
    key = str(uuid4())
    made = office.do("create", key=key, **CHILD)
    assert office.do("create", key=key, **CHILD) == made
    assert office.do("create", key=key, **CHILD | {"region": "03"}) == {"outcome": "key_conflict"}
    assert office.do("withdraw", key=key, if_state=made["state_after"], reason="x") == {"outcome": "key_conflict"}
    assert len(office.versions()) == 1


def test_what_was_refused_leaves_its_key_free(office: Office, made: list[Registration]) -> None:
    key, there = str(uuid4()), handle(made[17])
    assert office.do("create", there, key, **CHILD) == {"outcome": "already_registered"}
    assert office.do("change", NEW, key, if_state=NOTHING, region="03") == {"outcome": "not_found"}
    assert office.do("withdraw", there, key, if_state=NOTHING, reason="x") == {"outcome": "state_changed"}
    state = office.registrar.state(office.registry.by_handle(there))
    assert office.do("change", there, key, if_state=state, region="13")["outcome"] == "changed"


def test_a_change_of_nothing_is_no_version(office: Office) -> None:
    state = office.do("create", **CHILD)["state_after"]
    same = office.do("change", if_state=state, region="06")
    assert (same["state_before"], same["state_after"]) == (state, state)
    assert len(office.versions()) == 1


def test_the_past_is_counted_as_it_was(office: Office, made: list[Registration]) -> None:
    one = next(each for each in made if each.region == "13")
    before = office.registry.counted(one.registered_on)
    state = office.registrar.state(office.registry.by_handle(handle(one)))
    office.do("withdraw", handle(one), if_state=state, reason="x")
    assert office.registry.counted(one.registered_on) == before
    assert office.registry.by_handle(handle(one)) is None
    counted = {each.region: each.everybody for each in office.registry.counted(START.date() + timedelta(days=1))}
    assert counted["13"] == sum(each.region == "13" and each.registered_on <= START.date() for each in made) - 1


def test_the_synthetic_ones_go_on_from_where_they_were(office: Office, made: list[Registration]) -> None:
    office.do("create", **CHILD)
    assert office.registry.made() == len(made)
    assert office.registry.count() == len(made) + 1


_REFUSED: dict[str, tuple[dict[str, Any], Code]] = {
    "no_key": ({"key": ""}, Code.IDEMPOTENCY_KEY_MISSING),
    "a_key_of_words": ({"key": "a word"}, Code.IDEMPOTENCY_KEY_MISSING),
    "no_salt": ({"body": b"{}"}, Code.SALT_INVALID),
    "a_field_missing": ({"body": b'{"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "handle": "x"}'}, Code.FIELD_INVALID),
    "a_field_too_many": (
        {"target": f"/v1/registrations/{NEW}/changes",
         "body": b'{"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "if_state": "x", "family_name": "y"}'},
        Code.FIELD_INVALID,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _REFUSED)
def test_what_it_does_not_take(office: Office, case: str) -> None:
    changes, code = _REFUSED[case]
    call = Call(**{"method": "POST", "target": "/v1/registrations", "key": str(uuid4())} | changes)
    with pytest.raises(Refusal) as caught:
        answered(call, office.registry, office.registrar, office.at)
    assert caught.value.code is code


def test_the_key_of_the_states_is_made_once_and_is_nobody_else_s(tmp_path: Path) -> None:
    path = tmp_path / "state.key"
    key = state_key(path)
    assert (len(key), state_key(path), path.stat().st_mode & 0o777) == (32, key, 0o600)
