"""A key stands for one message of one party: on both databases, whoever comes first, for as long as it is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.effects.keys import KEPT, EffectKeys
from gateway.effects.storage import SETTLED_WITHIN, DatabaseEffects, EffectRows, settled_by_hand
from gateway.errors import Code, Refusal
from gateway.model import Grant, Nirec
from gateway.storage import Database, make_change, open_database
from tests.adapters.fakes import ShiftedClock
from tests.guard.test_claims import message
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.change import Change
    from gateway.effect import Effect

KEY, OTHER = "6f1c1e34-0000-4000-8000-00000000000a", "6f1c1e34-0000-4000-8000-00000000000b"
ASKED: dict[str, object] = {"handle": "1" * 64, "region": "06", "nirec": Nirec("1" * 13)}


@pytest.fixture
def database(any_url: str) -> Iterator[Database]:
    made = open_database(any_url, durable=True)
    yield made
    made.dispose()


class World:
    """What an exchange would do, a transaction each."""

    def __init__(self, database: Database) -> None:
        self.clock = ShiftedClock()
        self.database = database
        self.rows = DatabaseEffects(database)
        self.keys = EffectKeys(EffectRows(), MacKeys(), "subject-handles", frozenset({"subjects"}))

    def effect(self, key: str | None = KEY, party: str = "ministry", **changes: Any) -> Effect:
        made = message(self.clock, "n", bytes(16), party)
        given: dict[str, Any] = {"fields": ASKED, "upstream": "cooperative", "key": key} | changes
        grant = Grant(replace(made, **given), "a", "p", frozenset(), tells_not_found=False, policy_sha256="00")
        effect = self.keys.effect(grant)
        assert (effect is None) == (key is None)
        return effect  # type: ignore[return-value]  # only where the test says that there is none

    def write(self, *changes: Change) -> Code | None:
        try:
            with self.database.writing(alone=True) as connection:
                for change in changes:
                    make_change(connection, change)
        except Refusal as refusal:
            return refusal.code
        return None

    def begin(self, *args: Any, **changes: Any) -> Code | None:
        return self.write(self.effect(*args, **changes).begun)

    def states(self) -> list[str]:
        return [one.state for one in self.rows.unsettled()]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_an_operation_without_effect_has_no_key(world: World) -> None:
    assert world.effect(None) is None


#: What makes a request another one, under the same key; and what does not.
_ANOTHER: dict[str, dict[str, Any]] = {
    "a_field": {"fields": ASKED | {"region": "03"}},
    "a_field_less": {"fields": {"handle": "1" * 64, "region": "06"}},
    "a_nirec": {"fields": ASKED | {"nirec": Nirec("2" * 13)}},
    "the_agreement": {"agreement": "b"},
    "the_purpose": {"purpose": "q"},
}
_THE_SAME: dict[str, dict[str, Any]] = {
    "as_it_was": {},
    "salt": {"salt": b"1" * 16},
    "order": {"fields": dict(reversed(ASKED.items()))},
}


@pytest.mark.parametrize("case", _ANOTHER)
def test_a_key_stands_for_one_message(world: World, case: str) -> None:
    assert world.begin() is None
    assert world.begin(**_ANOTHER[case]) is Code.IDEMPOTENCY_CONFLICT
    # the first one is asked again as it was, and the other one under a key of its own
    assert world.begin() is None
    assert world.begin(OTHER, **_ANOTHER[case]) is None
    assert world.begin(party="cooperative", **_ANOTHER[case]) is None


@pytest.mark.parametrize("case", _THE_SAME)
def test_a_repeat_is_known_as_one(world: World, case: str) -> None:
    assert world.begin() is None
    assert world.begin(**_THE_SAME[case]) is None


def test_of_many_at_once_one_message_has_the_key(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda region: world.begin(fields=ASKED | {"region": region}), ["01", "02", "03", "04", "05", "06"]
            )
        )
    assert sorted(one is None for one in found) == [False] * 5 + [True]


def test_the_other_system_is_asked_under_one_key_which_tells_nothing_of_the_caller_s(world: World) -> None:
    first, again = world.effect(), world.effect()
    assert first.upstream == again.upstream != world.effect(party="cooperative").upstream
    assert first.upstream != world.effect(upstream="civil-registry").upstream
    assert (first.key, first.seed) == (again.key, again.seed)
    # once a key is forgotten it may come for another child, who must not be taken for the first
    assert world.effect(fields=ASKED | {"region": "03"}).seed != first.seed
    assert KEY not in {first.upstream, str(first)}
    rows = world.database
    assert world.begin() is None
    with rows.reading() as connection:
        kept = connection.exec_driver_sql("SELECT key, message FROM effect_keys").one()
    assert bytes(kept[0]) == first.key
    assert not any(text.encode() in bytes(kept[0]) + bytes(kept[1]) for text in (KEY, "1" * 13))


def test_an_intent_is_settled_by_its_own_record_or_by_a_repeat_s(world: World) -> None:
    lost, again = world.effect(), world.effect()
    assert world.write(lost.begun) is world.write(world.effect(OTHER).begun) is None
    assert world.write(again.begun) is None
    assert world.states() == ["open"] * 3
    assert world.write(again.settled) is None
    # the one under the other key is left
    assert [one.key for one in world.rows.unsettled()] == [world.effect(OTHER).key]


def test_a_refusal_that_had_no_effect_settles_its_own_intent_and_no_other(world: World) -> None:
    lost, refused = world.effect(), world.effect()
    assert world.write(lost.begun) is world.write(refused.begun) is None
    (first, _) = world.rows.unsettled()
    assert world.write(refused.undone) is None
    # of the first, whose answer was lost, it knows nothing; nor does one that was refused before its intent
    conflict = world.effect(purpose="q")
    assert world.write(conflict.begun) is Code.IDEMPOTENCY_CONFLICT
    assert world.write(conflict.undone) is None
    assert len(world.rows.unsettled()) == 1
    assert world.write(lost.undone) is None
    assert world.states() == []
    assert first.key == refused.key


def test_what_comes_with_the_record_has_no_intent(world: World) -> None:
    assert world.begin(upstream="subjects") is None
    assert world.states() == []
    assert world.begin(upstream="subjects", purpose="q") is Code.IDEMPOTENCY_CONFLICT


def test_an_exchange_that_ended_without_an_answer_leaves_an_unknown_effect(world: World) -> None:
    assert world.begin() is None
    now = world.clock.now()
    assert world.rows.give_up(now + SETTLED_WITHIN / 2) == []
    (given_up,) = world.rows.give_up(now + 2 * SETTLED_WITHIN)
    assert world.states() == ["unknown"]
    # a repeat settles it still; so does an operator, once
    assert world.write(settled_by_hand(given_up)) is None
    assert world.states() == []
    assert world.write(settled_by_hand(given_up)) is Code.SUBJECTS_CHANGED


def test_a_key_is_forgotten_after_its_time_unless_nobody_knows_what_became_of_it(world: World) -> None:
    assert world.begin() is None
    settled = world.effect(OTHER)
    assert world.write(settled.begun, settled.settled) is None
    assert timedelta(hours=24) <= KEPT
    world.rows.expire(world.clock.now() + KEPT)
    assert world.begin(OTHER, purpose="q") is Code.IDEMPOTENCY_CONFLICT
    world.rows.expire(world.clock.now() + KEPT + timedelta(hours=2))
    assert world.begin(OTHER, purpose="q") is None
    assert world.begin(purpose="q") is Code.IDEMPOTENCY_CONFLICT
