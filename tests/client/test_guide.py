"""The client's guide, run: each block of it in its order, in both languages, against a gateway and its sandboxes."""

from __future__ import annotations

import inspect
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli.call import client_of
from gateway.client.client import PartyClient, UnreachableError
from gateway.client.operations import Operations
from gateway.client.passerelle import Passerelle, Patience
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from tests.exchange.live import LiveGateway

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def blocks(language: str) -> list[str]:
    return _BLOCK.findall((GUIDES / f"client.{language}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_example_runs(
    language: str, live: LiveGateway, cooperative: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cooperative is live
    monkeypatch.chdir(live.folder)
    names: dict[str, object] = {}
    for block in blocks(language):
        # a key names one thing: another run of this page would ask for another
        exec(compile(_UUID.sub(lambda _: str(uuid.uuid4()), block), f"client.{language}.md", "exec"), names)  # noqa: S102  the page's own code is what is tested
    assert list(Path("receipts").glob("*.json"))


class Losing(PartyClient):
    """A connection on which the first answer is lost, when the gateway has done what was asked."""

    lost: tuple[str, VerifiedAnswer] | None = None
    came: tuple[str, VerifiedAnswer] | None = None

    def send(self, request: SignedRequest) -> VerifiedAnswer:
        told = request.headers["idempotency-key"], super().send(request)
        if self.lost is None:
            self.lost = told
            raise UnreachableError("unreachable", detail="reset")
        self.came = told
        return told[1]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_answer_that_was_lost_is_asked_for_under_its_key(
    language: str, live: LiveGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own way of asking once more: the effect is there once."""
    client = client_of(live.party("ministry"))
    client.__class__ = Losing
    clock, randomness = SystemClock(), SystemRandomness()
    patience = Patience(tries=1)
    ours = Passerelle(client, tmp_path, clock=clock, randomness=randomness, patience=patience, acknowledge=False)
    block = next(one for one in blocks(language) if "CallError" in one)
    monkeypatch.chdir(live.folder)
    exec(compile(block, f"client.{language}.md", "exec"), {"passerelle": ours})  # noqa: S102  as above
    assert isinstance(client, Losing)
    assert client.lost is not None
    assert client.came is not None
    assert client.lost[0] == client.came[0]
    first, second = (json.loads(answer.body)["handle"] for _, answer in (client.lost, client.came))
    assert first == second


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_operation_has_its_example(language: str) -> None:
    code = "\n".join(blocks(language))
    offered = {name for name, _ in inspect.getmembers(Operations, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in offered if f".{name}(" not in code} == set()


def test_both_pages_say_the_same_in_code() -> None:
    plain = [[block.replace('("fr")', '("en")') for block in blocks(language)] for language in ("fr", "en")]
    assert plain[0] == plain[1]
