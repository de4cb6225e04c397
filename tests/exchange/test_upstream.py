"""The registry as it fails: a signed answer soon, its reason, and nothing of a person."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import LOADED, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange.live import LiveGateway, Shown


@pytest.fixture(autouse=True)
def recovered(live: LiveGateway) -> Iterator[None]:
    """Leaves no breaker open behind it, in either worker."""
    yield
    live.behave("normal")

    def all_well() -> bool:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: live.exchange(live.verification().signed()).status, range(6)))
        return answers == [200] * 6

    assert until(all_well, 15)


def ask(live: LiveGateway) -> tuple[Shown, float]:
    request = live.verification().signed()
    began = time.monotonic()
    shown = live.exchange(request)
    took = time.monotonic() - began
    assert live.verify(request, shown).bound
    return shown, took


def test_a_dead_registry_is_a_503_with_retry_after_in_under_a_second(live: LiveGateway) -> None:
    live.behave("down")
    for _ in range(6):
        shown, took = ask(live)
        assert (shown.status, shown.json()["code"]) == (503, "upstream_unavailable")
        assert int(shown.headers["retry-after"]) >= 1
        assert took < LOADED


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("wrong_signature", "upstream_untrusted"),
        ("wrong_certificate", "upstream_untrusted"),
        ("malformed", "upstream_malformed"),
    ],
)
def test_an_answer_that_does_not_prove_itself_is_not_passed_on(live: LiveGateway, mode: str, code: str) -> None:
    live.behave(mode)
    shown, _ = ask(live)
    assert (shown.status, shown.json()["code"]) == (502, code)
    assert "outcome" not in json.dumps(shown.json())


def test_each_attempt_upstream_is_counted_once_for_an_answered_exchange(live: LiveGateway) -> None:
    before = live.counter()
    assert ask(live)[0].status == 200
    assert live.counter() == before + 1
