"""Documents held against the code: what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.loader import load_contracts
from gateway.audit.verdict import Fault, Unproven
from gateway.errors import Code
from gateway.messages.catalogue import texts
from gateway.messages.table import load_table
from gateway.places import contracts_folder

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_error_code_has_its_row() -> None:
    assert set(load_table()) == set(Code)


def test_every_audit_code_has_its_sentences() -> None:
    wanted = {f"audit.fault.{code}" for code in Fault} | {f"audit.unproven.{code}" for code in Unproven}
    assert wanted == {key for key in texts() if key.startswith(("audit.fault.", "audit.unproven."))}


def test_every_error_that_people_read_has_its_text() -> None:
    raised = re.compile(r"(?:Configuration|Keystore|Unreachable|Answer|NotStarted)Error\(\s*\"([a-z_0-9]+)\"")
    files = [path for folder in ("gateway", "adapters") for path in (ROOT / folder).rglob("*.py")]
    keys = {key for path in files for key in raised.findall(path.read_text(encoding="utf-8"))}
    assert len(keys) > 30
    assert {key for key in keys if f"problem.{key}" not in texts()} == set()


def test_the_help_of_a_call_names_every_operation() -> None:
    """But the acknowledgement, which is an option of the others."""
    offered = {name for contract in load_contracts(contracts_folder()) for name in contract.operations}
    for words in texts()["help.operation"].values():
        assert set(re.findall(r"[a-z]+(?:\.[a-z]+)?", words.partition(": ")[2])) == offered - {"exchange.acknowledge"}


def test_a_count_has_its_word_in_the_singular_and_the_plural() -> None:
    unsure = re.compile(r"\w\((?:s|es|e|x)\)")
    assert [key for key, both in texts().items() if any(unsure.search(text) for text in both.values())] == []


def test_ci_calls_the_readme_s_own_commands() -> None:
    commands = re.findall(r"^\$ (make \w+)", read("README.md"), re.MULTILINE)
    assert {"make demo", "make test", "make check"} <= set(commands)
    for command in ("make demo", "make test", "make check"):
        assert command in read(".ci/run")
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert {command.split()[1] for command in commands} <= targets


def test_the_places_that_the_readme_names_are_there() -> None:
    table = read("README.md").split("## Where each thing lives")[1].split("\n## ")[0]
    places = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(places) > 8
    for place in places:
        base = ROOT / place if (ROOT / place).exists() else ROOT / "gateway" / place
        assert base.exists(), place


def test_each_answer_of_the_threat_model_has_its_test() -> None:
    """A row names `path::test`; the function must be in that file."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", read("docs/threat-model.md"))
    assert len(named) > 30
    missing = [f"{path}::{name}" for path, name in named if not re.search(rf"def {name}\b", read(path))]
    assert missing == []


@pytest.mark.parametrize("pattern", [r"BEGIN (EC |RSA |OPENSSH )?PRIVATE KEY", r"--(extra-)?index-url"])
def test_nothing_that_must_not_be_committed(pattern: str) -> None:
    left_out = {".venv", "var", "dist", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
    tracked = [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and left_out.isdisjoint(path.relative_to(ROOT).parts) and path.suffix != ".pyc"
    ]
    assert tracked
    mine = Path(__file__)
    found = [path.name for path in tracked if path != mine and re.search(pattern, path.read_text("utf-8", "replace"))]
    assert found == []


def test_no_file_is_past_400_lines() -> None:
    long = [
        str(path.relative_to(ROOT))
        for folder in ("gateway", "adapters", "contracts", "certs")
        for path in (ROOT / folder).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    ]
    assert long == []


def test_each_post_without_a_key_has_its_reason() -> None:
    """Whose repeat could have a second effect asks for an Idempotency-Key; the others are named with a reason."""
    listed = (
        read("docs/decisions/0032-effects-that-happen-once.md")
        .partition("*POSTs without a key,*")[2]
        .partition("*Intents.*")[0]
    )
    posts = {
        name
        for contract in load_contracts(contracts_folder())
        for name, one in contract.operations.items()
        if one.rest.method == "POST" and one.idempotent
    }
    assert len(posts) > 5
    assert posts - set(re.findall(r"`([a-z]+(?:\.[a-z]+)?)`", listed)) == set()
