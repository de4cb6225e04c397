"""The cooperative's registry in trouble while it is written to: a signed refusal, then by repeating the one effect.

A real gateway over the real sandbox, which behaves as its switch says; its own tables count what was done (L4, P5).
"""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.exchange.test_effects import CHANGE, CHILD, CREATE, GET
from tests.faults.night import ROUNDS, Night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: So many registrations are changed at once over each trouble; the budget of a day allows for 500 children.
WRITES = min(ROUNDS, 40)
_TIMES = "deadline_seconds = 4\nattempt_seconds = 1.5\nattempts = 2\n"
#: Longer than the gateway waits for an answer: what is asked is done all the same, when nobody waits any more.
_LATE_MS = 2500
_REGIONS = ("03", "13")


class Office(Night):
    """A gateway over the cooperative's registry, both of whose databases are looked at from here."""

    book: Book

    def say(self, operation: str, fields: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """The fields of a verified answer, with its status and exchange."""
        client = self.client("ministry")
        answer = client.send(client.prepare(operation, fields, salted=operation != GET, idempotency_key=key))
        said: dict[str, Any] = json.loads(answer.body)
        waits = answer.headers.get("retry-after")
        return said | {"status": answer.status, "exchange": answer.exchange_id, "waits": waits}

    def attempts(self, exchange_id: str) -> list[str]:
        """What each attempt came to, by the evidence of an exchange or refusal."""
        found: list[list[str]] = []

        def there() -> bool:
            kept = [one.evidence for one in self.book.of(exchange_id) if one.kind in ("exchange", "refusal")]
            found[:] = [[attempt["outcome"] for attempt in one["upstream"]] for one in kept]
            return bool(found)

        assert until(there, 20)
        return found[0]

    def versions(self) -> dict[str, int]:
        """How many versions of each registration its registry keeps, by its own handle."""
        return dict(self._theirs("SELECT handle, COUNT(*) FROM registrations GROUP BY handle"))

    def newest(self) -> str:
        return str(self._theirs("SELECT handle FROM registrations ORDER BY number DESC LIMIT 1")[0][0])

    def keys(self) -> int:
        """Under how many keys its registry has done something."""
        return int(self._theirs("SELECT COUNT(*) FROM effects")[0][0])

    def unsettled(self) -> int:
        return int(_rows(self.database, "SELECT COUNT(*) FROM intents WHERE state <> 'settled'")[0][0])

    def at_rest(self) -> bool:
        """Whether its registry has come to the end of all that it was asked: a line is written then."""
        lines = (self.folder / "stderr.txt").read_text(encoding="utf-8").splitlines()
        return sum('"system": "cooperative-sandbox"' in line for line in lines) == self.counter("cooperative")

    def _theirs(self, query: str) -> list[tuple[Any, ...]]:
        return _rows(self.folder / "sandbox" / "cooperative" / "registrations.sqlite", query)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute(query).fetchall()


@dataclass(frozen=True)
class Wish:
    """A child's registration changed under a key: the ministry's handle, the registry's own, the state known before."""

    handle: str
    known_as: str
    state: str
    region: str
    key: str

    def ask(self, office: Office) -> dict[str, Any]:
        return office.say(CHANGE, {"handle": self.handle, "if_state": self.state, "region": self.region}, self.key)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"))
    settings = made.folder / "passerelle.toml"
    section = "[upstreams.cooperative]\n"
    settings.write_text(settings.read_text(encoding="utf-8").replace(section, section + _TIMES), encoding="utf-8")
    made.book = Book(made.log, made.folder / "trust")
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


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_write_over_trouble_is_refused_and_by_repeating_done_once(
    office: Office, wishes: list[Wish], trouble: str
) -> None:
    mode, delay, expected, outcomes = TROUBLES[trouble]
    before, keys = office.versions(), office.keys()
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
    assert set(others) <= {expected, _TURNED_AWAY}
    # well again: the same key gives the answer; a breaker may still be open
    for wish in wishes:
        assert until(lambda wish=wish: wish.ask(office)["status"] == 200, 20)  # type: ignore[misc]  # a default binds it
    assert until(office.at_rest, 20)
    known = {wish.known_as for wish in wishes}
    assert office.versions() == {name: count + (name in known) for name, count in before.items()}
    assert office.keys() == keys + len(wishes)
    again = wishes[0].ask(office)
    got = office.say(GET, {"handle": wishes[0].handle})
    assert (again["outcome"], again["state_before"], again["state_after"]) == ("changed", wishes[0].state, got["state"])
    assert got["region"] == wishes[0].region
    assert office.unsettled() == 0


def _said(answer: dict[str, Any]) -> str:
    """The status, and the code or the outcome."""
    return f"{answer['status']} {answer.get('code') or answer['outcome']}"
