"""The client's guide, run: each block of it in its order, in both languages, against a gateway and its sandboxes."""

from __future__ import annotations

import inspect
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.client.operations import Operations

if TYPE_CHECKING:
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


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_operation_has_its_example(language: str) -> None:
    code = "\n".join(blocks(language))
    offered = {name for name, _ in inspect.getmembers(Operations, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in offered if f".{name}(" not in code} == set()


def test_both_pages_say_the_same_in_code() -> None:
    plain = [[block.replace('("fr")', '("en")') for block in blocks(language)] for language in ("fr", "en")]
    assert plain[0] == plain[1]
