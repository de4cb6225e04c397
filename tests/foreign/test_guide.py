"""The guide for SOAP clients shows what runs: each excerpt stands in a client of this folder, line for line."""

from __future__ import annotations

import re

import pytest

from tests.foreign.conftest import HERE

GUIDES = HERE.parents[1] / "docs" / "guides"
EXCERPT = re.compile(r"^```(python|js|java)\n(?:#|//) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOLDERS = {"python": "python", "js": "node", "java": "java"}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_excerpt_is_of_a_client(language: str) -> None:
    page = (GUIDES / f"soap.{language}.md").read_text(encoding="utf-8")
    excerpts = EXCERPT.findall(page)
    assert [kind for kind, _, _ in excerpts] == ["python", "js", "java"]
    for kind, name, excerpt in excerpts:
        wanted, written = lines(excerpt), lines((HERE / FOLDERS[kind] / name).read_text(encoding="utf-8"))
        places = [at for at in range(len(written)) if written[at : at + len(wanted)] == wanted]
        assert len(places) == 1, (name, wanted)


def test_the_files_that_the_guide_names_are_there() -> None:
    page = (GUIDES / "soap.en.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:tests/foreign/(?:python|node|java)/)?(\w+\.(?:py|js|java))`", page))
    assert named >= {"soap_client.py", "signature.py", "soap.js", "signature.js", "SoapClient.java", "WsSecurity.java"}
    there = {path.name for path in HERE.rglob("*") if path.suffix in {".py", ".js", ".java"}}
    assert named <= there


def test_both_languages_say_the_same() -> None:
    french, english = ((GUIDES / f"soap.{word}.md").read_text(encoding="utf-8") for word in ("fr", "en"))
    for pattern in (r"^## \d\.", r"^```\w*$", r"^\| `[a-z_]+`", r"^- ", r"^\d\. "):
        found = [len(re.findall(pattern, page, re.MULTILINE)) for page in (french, english)]
        assert found[0] == found[1] > 0, pattern
