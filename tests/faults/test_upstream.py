"""The registry slow, flapping, torn, endless, silent or busy: a signed answer soon, and nobody else waits for it."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.fakes import LOADED, until
from tests.attacks.evidence import Book
from tests.faults import upstream as u
from tests.faults.night import Callers, Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange.live import Shown
    from tests.faults.upstream import Talk

#: Short times, so that what takes longer than they allow need not take long; two calls at once from each worker.
SETTINGS = {
    "CIVIL_REGISTRY__DEADLINE_SECONDS": 2,
    "CIVIL_REGISTRY__ATTEMPT_SECONDS": 0.8,
    "CIVIL_REGISTRY__ATTEMPTS": 2,
    "CIVIL_REGISTRY__CONCURRENCY": 2,
}
#: What no answer may take, by far: attempts times their time, waits between them, and a slow machine.
_SOON = LOADED * 4


@pytest.fixture(scope="module")
def registry(shared_night: Night) -> Iterator[u.Troubled]:
    made = u.Troubled(shared_night.folder / "sandbox" / "civil-registry", shared_night.ports.registry)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def closed_breakers(night: Night, registry: u.Troubled) -> Iterator[None]:
    """Both workers' circuit breakers let calls through again."""

    def all_well() -> bool:
        with ThreadPoolExecutor(2) as pool:
            return [answer.status for answer in pool.map(lambda _: ask(night), range(4))] == [200] * 4

    assert registry.behaviour is u.answers
    assert until(all_well, 30)
    yield
    assert until(all_well, 30)


def ask(night: Night) -> Shown:
    """A verification; its answer is signed and bound to it, whatever it says."""
    request = night.verification().signed()
    shown = night.exchange(request)
    assert night.verify(request, shown).bound
    return shown


def evidence_of(night: Night, shown: Shown) -> dict[str, Any]:
    kept = Book(night.log, night.folder / "trust").of(shown.headers["exchange-id"])
    assert len(kept) == 1
    return kept[0].evidence


#: behaviour -> what the caller is told, what each attempt came to, and how many there are
TROUBLES: dict[str, tuple[u.Behaviour, str, int]] = {
    "hangs": (u.hangs, "503 upstream_timeout", 2),
    "ends_at_once": (u.ends_at_once, "503 upstream_unavailable", 2),
    "resets_in_the_middle": (u.resets_in_the_middle, "503 upstream_unavailable", 2),
    "answers_another": (u.answers_another, "502 upstream_untrusted", 1),
    "ten_mebibytes": (u.ten_mebibytes, "502 upstream_malformed", 1),
    "trickles_its_body": (u.trickles_its_body, "503 upstream_timeout", 2),
    "trickles_its_head": (u.trickles_its_head, "503 upstream_timeout", 2),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_troubled_registry(night: Night, registry: u.Troubled, trouble: str) -> None:
    behaviour, expected, attempts = TROUBLES[trouble]
    before = registry.requests
    with registry.behaving(behaviour):
        began = time.monotonic()
        shown = ask(night)
        assert time.monotonic() - began < _SOON
    said = expected.split()[1]
    assert f"{shown.status} {shown.json()['code']}" == expected
    assert ("retry-after" in shown.headers) is (shown.status == 503)
    assert registry.requests - before == attempts
    evidence = evidence_of(night, shown)
    assert [attempt["outcome"] for attempt in evidence["upstream"]] == [said] * attempts
    assert evidence["subjects"] == []


def test_a_registry_that_never_ends_its_handshake(night: Night, registry: u.Troubled) -> None:
    with fresh_connections(registry):
        began = time.monotonic()
        shown = ask(night)
        assert time.monotonic() - began < _SOON
    assert (shown.status, shown.json()["code"]) == (503, "upstream_timeout")
    assert [attempt["outcome"] for attempt in evidence_of(night, shown)["upstream"]] == ["upstream_timeout"] * 2


@contextmanager
def fresh_connections(registry: u.Troubled) -> Iterator[None]:
    """Those that are kept alive end with the next request; new ones come no further than their first byte."""
    with registry.behaving(u.ends_at_once, handshakes=False):
        registry.let_go()
        yield


def test_a_flapping_registry_is_asked_again(night: Night, registry: u.Troubled) -> None:
    turns = count()

    def flaps(talk: Talk) -> None:
        if next(turns) % 2:
            talk.answer()
        else:
            u.ends_at_once(talk)

    with registry.behaving(flaps):
        answers = [ask(night) for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 6
    for answer in answers[:2]:
        outcomes = [attempt["outcome"] for attempt in evidence_of(night, answer)["upstream"]]
        assert outcomes == ["upstream_unavailable", "answered"]


def test_a_saturated_registry_turns_callers_away_at_once_and_keeps_nobody_else(
    night: Night, registry: u.Troubled
) -> None:
    order: list[str] = []

    def verification(_: int) -> Shown:
        shown = ask(night)
        order.append(shown.json()["code"])
        return shown

    with registry.behaving(u.hangs), ThreadPoolExecutor(14) as pool:
        asking = [pool.submit(verification, number) for number in range(14)]
        assert until(lambda: registry.requests >= 2, 10)
        with Callers(night, 2) as callers:
            assert callers.more(10)
            order.append("echo")
        answers = [one.result() for one in asking]
    codes = Counter(f"{answer.status} {answer.json()['code']}" for answer in answers)
    # two calls at once from each worker wait for the registry; the others do not wait at all
    assert codes["503 upstream_timeout"] <= 6
    assert codes["503 upstream_unavailable"] >= 6
    assert codes.total() == 14
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    # the order in which they had their answers: the turned away, then the echoes, then those who waited in vain
    assert order.index("upstream_unavailable") < order.index("echo")
    assert order.index("echo") < len(order) - 1, "others waited for the registry"
    assert {answer.status for answer in callers.answers} == {200}
    turned_away = next(answer for answer in answers if answer.json()["code"] == "upstream_unavailable")
    assert evidence_of(night, turned_away)["upstream"] == []


def test_a_registry_that_is_down_for_long_is_not_asked_at_all(night: Night, registry: u.Troubled) -> None:
    with registry.behaving(u.ends_at_once):
        assert until(lambda: all(ask(night).status == 503 for _ in range(4)) and breaker_open(night, registry), 20)
        # once in five seconds one call may try it again: that one is not it
        before, began, shown = registry.requests, time.monotonic(), ask(night)
        while registry.requests != before:
            before, began, shown = registry.requests, time.monotonic(), ask(night)
        assert time.monotonic() - began < LOADED
        assert shown.status == 503
        assert int(shown.headers["retry-after"]) >= 1


def breaker_open(night: Night, registry: u.Troubled) -> bool:
    """Whether neither worker asks any more."""
    before = registry.requests
    for _ in range(6):
        ask(night)
    return registry.requests == before
