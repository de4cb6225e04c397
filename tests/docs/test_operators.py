"""What an operator reads, held against the code: no code, alarm, metric, setting or command without its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gateway.cli.configuration import setting_names
from gateway.cli.main import build
from gateway.cli.output import Exit
from gateway.errors import Code
from gateway.messages.catalogue import Catalogue, texts
from gateway.messages.table import load_table
from gateway.settings import Settings
from gateway.watch.alarms import ALARMS
from gateway.watch.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[2]
LANGUAGES = ("fr", "en")
_LONGEST_PAGE = 12


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def pages(language: str) -> dict[str, str]:
    """The runbook's pages by their heading."""
    parts = re.split(r"^### (.+)$", read(f"runbook.{language}.md"), flags=re.MULTILINE)[1:]
    return {heading: text.split("\n## ")[0].strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def table(name: str) -> dict[str, list[str]]:
    """The rows of a page's table by their first cell, without its backticks."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in read(name).splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def setting(name: str) -> FieldInfo:
    model: type[BaseModel] = Settings
    *sections, last = name.split(".")
    for section in sections:
        kinds = [model.model_fields[section].annotation]
        kinds += getattr(kinds[0], "__args__", ())
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return model.model_fields[last]


def commands(command: Any, path: str = "passerelle") -> Iterator[str]:
    below = getattr(command, "commands", None)
    if not below:
        yield path
        return
    for name, item in below.items():
        yield from commands(item, f"{path} {name}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alarm_code_and_exit_code_has_its_page(language: str) -> None:
    found = pages(language)
    alarms = {alarm.name for alarm in ALARMS}
    codes = {f"{code.value} (code)" if code.value in alarms else code.value for code in Code}
    assert set(found) == alarms | codes | {f"exit {int(code)}" for code in Exit}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_short_and_says_what_to_do(language: str) -> None:
    do = {"fr": "**Faire.**", "en": "**Do.**"}[language]
    for heading, text in pages(language).items():
        assert len(text.splitlines()) <= _LONGEST_PAGE, heading
        assert do in text, heading


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_a_code_says_what_the_caller_saw(language: str) -> None:
    found = pages(language)
    for code, row in load_table().items():
        text = found.get(f"{code.value} (code)", found.get(code.value, ""))
        assert f"`HTTP {row.status}` {row.title[language]}" in text, code


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_an_alarm_says_how_urgent_it_is_and_whom_to_wake(language: str) -> None:
    words = {
        "fr": {"now": "*maintenant.*", "morning": "*au matin.*", "wake": "**Réveiller.**", "look": "**Regarder.**"},
        "en": {"now": "*now.*", "morning": "*in the morning.*", "wake": "**Wake.**", "look": "**Look at.**"},
    }[language]
    found = pages(language)
    for alarm in ALARMS:
        for word in (words[alarm.urgency], words["wake"], words["look"]):
            assert word in found[alarm.name], (alarm.name, word)


def test_every_alarm_has_its_words_and_its_rule() -> None:
    rules = {}
    for rule in yaml.safe_load(read("alerts.yml"))["groups"][0]["rules"]:
        found = re.fullmatch(r'passerelle_alarm\{alarm="(\w+)"\} > 0', rule["expr"])
        if found:
            rules[found[1]] = rule
    assert set(rules) == {alarm.name for alarm in ALARMS}
    assert {f"alarm.{alarm.name}" for alarm in ALARMS} == {key for key in texts() if key.startswith("alarm.")}
    for alarm in ALARMS:
        assert rules[alarm.name]["labels"]["urgency"] == alarm.urgency
        assert rules[alarm.name]["annotations"]["runbook"].endswith(f"#{alarm.name}")


def test_every_metric_has_its_line() -> None:
    rows = table("metrics.md")
    assert set(rows) == {metric.full for metric in METRICS}
    for metric in METRICS:
        kind, labels, _ = rows[metric.full]
        assert kind == metric.kind
        assert re.findall(r"`(\w+)`", labels) == list(metric.labels)


def test_every_setting_has_its_line_with_default_unit_and_meaning() -> None:
    rows = table("settings.md")
    assert set(rows) == set(setting_names())
    for name, (default, unit, meaning, sens) in rows.items():
        kept = setting(name).default
        assert default == ("none: must be given" if kept is PydanticUndefined else f"`{kept}`"), name
        assert unit, name
        assert (sens, meaning) == (texts()[f"setting.{name}"]["fr"], texts()[f"setting.{name}"]["en"]), name


def test_every_command_has_its_line() -> None:
    tree = typer.main.get_command(build(Catalogue("en")))
    assert set(table("commands.md")) == set(commands(tree))


def test_every_decision_is_in_the_index() -> None:
    index = read("decisions/README.md")
    kept = [path.name for path in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert kept
    assert [name for name in kept if name not in index] == []


def test_the_pages_that_the_runbook_and_the_metrics_name_are_there() -> None:
    for page in ("runbook.fr.md", "runbook.en.md", "metrics.md"):
        named = set(re.findall(r"\]\(([^)#]+)\)", read(page))) | set(re.findall(r"`docs/([\w./-]+)`", read(page)))
        assert named
        assert [name for name in named if not (ROOT / "docs" / name).exists()] == []
