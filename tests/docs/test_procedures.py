"""The pages of the runbook's procedures: both languages do the same, and what they name is there.

That they work is tests/scenarios/test_procedures.py's to show, which runs them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal

import pytest

from gateway.messages.catalogue import texts
from tests.scenarios.procedures import PAGES, PROCEDURES, ROOT, commands

if TYPE_CHECKING:
    from pathlib import Path


def test_both_languages_have_the_same_commands_in_the_same_order() -> None:
    for language in ("fr", "en"):
        assert {path.stem for path in (PROCEDURES / language).iterdir()} == set(PAGES)
    for page in PAGES:
        french, english = (
            [(each.line, each.exit_code, each.section) for each in commands(PROCEDURES / language / f"{page}.md")]
            for language in ("fr", "en")
        )
        assert french
        assert french == english, page


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_runbook_leads_to_every_page_and_every_link_of_a_page_leads_somewhere(language: str) -> None:
    runbook = (PROCEDURES.parent / f"runbook.{language}.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert f"](procedures/{language}/{page}.md)" in runbook, page
        path = PROCEDURES / language / f"{page}.md"
        for link, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", path.read_text(encoding="utf-8")):
            target = (path.parent / link).read_text(encoding="utf-8")
            assert not anchor or anchor in anchors(target), (page, link, anchor)


@pytest.mark.parametrize("path", sorted(PROCEDURES.rglob("*.md")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_words_and_commands_that_a_page_names_are_the_programs(path: Path) -> None:
    named = re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8"))
    sources = "".join(each.read_text("utf-8") for room in ("gateway", "certs") for each in (ROOT / room).rglob("*.py"))
    words = {each for each in named if re.fullmatch(r"[a-z]+(_[a-z]+)+", each)}
    assert {each for each in words if not re.search(rf"\b{each}\b", sources)} == set()
    table = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    typed = {re.match(r"(?:passerelle )?((?:keys|policy|audit) \S+|serve|status|init)\b", each) for each in named}
    lines = {found[1] for found in typed if found is not None}
    assert lines
    assert {each for each in lines if f"| `passerelle {each}` |" not in table} == set()


def anchors(text: str) -> set[str]:
    """What a page's headings are called in links."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_what_a_page_says_is_printed_is_one_text_in_both_languages() -> None:
    """The French lines are held against a run below; the English ones are the same texts of the catalogue."""
    for page in PAGES:
        french, english = (
            [line for each in commands(PROCEDURES / language / f"{page}.md") for line in each.shown]
            for language in ("fr", "en")
        )
        assert french
        for line, other in zip(french, english, strict=True):
            assert line == other or printed_as(line, "fr") & printed_as(other, "en"), (page, line, other)


def printed_as(line: str, language: Literal["fr", "en"]) -> set[str]:
    """The catalogue's texts that a page's line can be: a line of theirs, its first sentence, or a change's sentence."""
    part = line.strip()
    change = re.sub(r"^(ÉLARGIT|WIDENS) +", "", part).removesuffix(".")
    return {
        key
        for key, text in texts().items()
        for written in text[language].splitlines()
        for sentence in (written, written.split(". ")[0] + ".")
        for said in (part, part.strip("…").strip(), change)
        if template(sentence).fullmatch(said)
    }


@cache
def template(text: str) -> re.Pattern[str]:
    """A text of the catalogue with anything for its values; one of values alone says nothing, and fits nothing."""
    written = [re.escape(each) for each in re.split(r"\{\w+\}", text.strip())]
    return re.compile(".*".join(written) if re.search(r"[^\W\d_]{3}", "".join(written)) else r"(?!)")
