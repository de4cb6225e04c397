"""The cooperative's registry in trouble while it is written to: a signed refusal, then by repeating the one effect.

A real gateway over the real sandbox, which behaves as its switch says; its own tables count what was done (L4, P5).
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.adapters.fakes import until
from tests.exchange.test_effects import CHILD, CREATE, GET
from tests.faults.night import ROUNDS
from tests.faults.office import Office, Wish
from tests.faults.test_kill import note

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So many registrations are changed at once over each trouble; the budget of a day allows for 500 children.
WRITES = min(max(2, ROUNDS), 40)
_TIMES = "deadline_seconds = 4\nattempt_seconds = 1.5\nattempts = 2\n"
#: Longer than the gateway waits for an answer: what is asked is done all the same, when nobody waits any more.
_LATE_MS = 2500
_REGIONS = ("03", "13")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"), _TIMES)
    try:
        made.start_cooperative()
        made.start()
        yield made
    finally:
        made.close()
    made.nothing_told()
    # every intent is told of, and each effect is in evidence as the registry signed it
    assert made.audited().facts.unsettled == ()


@pytest.fixture(scope="module")
def children(office: Office) -> dict[str, str]:
    """Registered children: the ministry's handles, and the registry's."""
    made: dict[str, str] = {}
    for number in range(WRITES):
        handle = str(office.say("subject.expect", {"reference": f"panne {number}"})["handle"])
        assert office.say(CREATE, {"handle": handle, **CHILD})["status"] == 200
        made[handle] = office.newest()
    return made


@pytest.fixture
def wishes(office: Office, children: dict[str, str]) -> list[Wish]:
    """A change for each child, as it is now; no worker's breaker is open, and an answer was given before."""
    first = next(iter(children))

    def all_well() -> bool:
        with ThreadPoolExecutor(4) as pool:
            return {one["status"] for one in pool.map(lambda _: office.say(GET, {"handle": first}), range(6))} == {200}

    assert until(all_well, 30)
    now = {handle: office.say(GET, {"handle": handle}) for handle in children}
    region = next(one for one in _REGIONS if one != now[first]["region"])
    return [Wish(handle, children[handle], now[handle]["state"], region, str(uuid4())) for handle in children]


#: the registry's mode and delay -> what the caller is told, and what each attempt came to
TROUBLES: dict[str, tuple[str, int, str, list[str]]] = {
    "slow_past_the_deadline": ("slow", _LATE_MS, "503 upstream_timeout", ["upstream_timeout"] * 2),
    "done_and_answered_too_late": ("held", _LATE_MS, "503 upstream_timeout", ["upstream_timeout"] * 2),
    "down": ("down", 0, "503 upstream_unavailable", ["upstream_unavailable"] * 2),
    "flapping": ("flapping", 0, "200 changed", ["upstream_unavailable", "answered"]),
    "half_open": ("silent", 0, "503 upstream_timeout", ["upstream_timeout"] * 2),
    "reset_in_the_middle": ("reset", 0, "503 upstream_unavailable", ["upstream_unavailable"] * 2),
    "lost_after_the_effect": ("lost", 0, "503 upstream_unavailable", ["upstream_unavailable"] * 2),
    "answers_twice": ("twice", 0, "200 changed", ["answered"]),
    "answers_another_request": ("another", 0, "502 upstream_untrusted", ["upstream_untrusted"]),
    "wrong_schema": ("malformed", 0, "502 upstream_malformed", ["upstream_malformed"]),
    "wrong_signature": ("wrong_signature", 0, "502 upstream_untrusted", ["upstream_untrusted"]),
    "wrong_certificate": ("wrong_certificate", 0, "502 upstream_untrusted", ["upstream_untrusted"]),
}
#: Of many at once, the later ones may find the breaker open.
_TURNED_AWAY = "503 upstream_unavailable"
#: A connection whose last answer came twice is not used again, unless the second one comes when it is already in use.
_NOT_ITS_OWN = "502 upstream_untrusted"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_write_over_trouble_is_refused_and_by_repeating_done_once(
    office: Office, wishes: list[Wish], trouble: str
) -> None:
    mode, delay, expected, outcomes = TROUBLES[trouble]
    before, effects = office.versions(), office.effects()
    office.behave(mode, delay, sandbox="cooperative")
    try:
        first = wishes[0].ask(office)
        with ThreadPoolExecutor(4) as pool:
            others = [_said(one) for one in pool.map(lambda wish: wish.ask(office), wishes[1:])]
    finally:
        office.behave("normal", sandbox="cooperative")
    assert _said(first) == expected
    assert (first["waits"] is not None) is (first["status"] == 503)
    # every other request finds it down: which one this was is chance
    assert office.attempts(first["exchange"]) in ([outcomes, outcomes[-1:]] if mode == "flapping" else [outcomes])
    assert set(others) <= {expected, _TURNED_AWAY, *([_NOT_ITS_OWN] if mode == "twice" else [])}
    if ROUNDS > 1:
        note(f"writes, {trouble}: {Counter([_said(first), *others])}")
    # well again: the same key gives the answer; a breaker may still be open
    for wish in wishes:
        assert until(lambda wish=wish: wish.ask(office)["status"] == 200, 20)  # type: ignore[misc]  # a default binds it
    assert until(office.at_rest, 20)
    known = {wish.known_as for wish in wishes}
    assert office.versions() == {name: count + (name in known) for name, count in before.items()}
    assert office.effects() == effects + len(wishes)
    again: dict[str, Any] = {}

    def told() -> bool:
        again.update(wishes[0].ask(office))
        return bool(again["status"] == 200)

    assert until(told, 20)
    got = office.say(GET, {"handle": wishes[0].handle})
    assert (again["outcome"], again["state_before"], again["state_after"]) == ("changed", wishes[0].state, got["state"])
    assert got["region"] == wishes[0].region
    assert office.unsettled() == 0


def test_an_answer_that_comes_twice_is_never_taken_for_the_next(office: Office, wishes: list[Wish]) -> None:
    """What is left of it on a kept connection is nobody's answer."""
    office.behave("twice", sandbox="cooperative")
    try:
        asked = [wish for _ in range(6) for wish in wishes[:2]]
        answers = [office.say(GET, {"handle": wish.handle}) for wish in asked]
    finally:
        office.behave("normal", sandbox="cooperative")
    assert {_said(one) for one in answers} <= {"200 found", _NOT_ITS_OWN}
    read = [(wish, one) for wish, one in zip(asked, answers, strict=True) if one["status"] == 200]
    assert read
    assert all((one["handle"], one["state"]) == (wish.handle, wish.state) for wish, one in read)


def _said(answer: dict[str, Any]) -> str:
    """The status, and the code or the outcome."""
    return f"{answer['status']} {answer.get('code') or answer['outcome']}"
