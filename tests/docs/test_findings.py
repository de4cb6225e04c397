"""The page of an audit's findings: each has its line in both languages, and each lie names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.audit.verdict import Fault
from gateway.messages.catalogue import texts

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([a-z_]+)` \| (.+) \| (.+) \|$", re.MULTILINE)
_LIE = re.compile(r"^\| (.+) \| `([a-z_]+)` \| `(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)` \|$", re.MULTILINE)


def page(language: str) -> str:
    return (ROOT / "docs" / "guides" / f"findings.{language}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_finding_has_its_line(language: str) -> None:
    rows = {code: means for code, means, _ in _ROW.findall(page(language))}
    words = {code.value: texts()[f"audit.fault.{code}"][language] for code in Fault}
    assert rows == words


def test_every_lie_is_told_by_a_test() -> None:
    english, french = _LIE.findall(page("en")), _LIE.findall(page("fr"))
    assert len(english) >= 13
    assert [row[1:] for row in english] == [row[1:] for row in french]
    for _, code, file, name in english:
        assert code in set(Fault)
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name
