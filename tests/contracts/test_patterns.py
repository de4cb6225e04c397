"""Patterns mean the same to JSON Schema and to XSD: one list, judged by both."""

from __future__ import annotations

import jsonschema_rs
import pytest
from lxml import etree

from contracts.leaves import LEXICAL
from contracts.patterns import check_pattern, portable_pattern, xsd_pattern

_VALUES = (
    "",
    "a",
    "ab",
    "b",
    "é",
    "0",
    "1.5",
    "-",
    "$",
    "a.b",
    "(",
    "[",
    "\\",
    "^",
    "A-1",
    "a\tb",
    "2024-02-29",
    "\u00a0",
)
_ALIKE = (
    "^$", "^a$", "^[a-z]+$", "^[^a]$", "^(a|b)?$", r"^[0-9]+(\.[0-9]{1,2})?$", r"^[^\p{Cc}]*$", r"^\p{L}{1,2}$",
    r"^[$]$", r"^\($", r"^\[$", r"^\\$", r"^[\^]$", r"^[A-Z]-[0-9]$", r"^\P{Lu}*$", r"^[a\-z.]{2,}$",
    r"^((a)|[b.])*$", r"^[-a]$",
)  # fmt: skip


def _by_xsd(pattern: str) -> etree.XMLSchema:
    root = etree.Element("{http://www.w3.org/2001/XMLSchema}schema", nsmap={"xs": "http://www.w3.org/2001/XMLSchema"})
    xs = "{http://www.w3.org/2001/XMLSchema}"
    element = etree.SubElement(root, f"{xs}element", name="v")
    kind = etree.SubElement(etree.SubElement(element, f"{xs}simpleType"), f"{xs}restriction", base="xs:string")
    etree.SubElement(kind, f"{xs}pattern", value=xsd_pattern(pattern))
    return etree.XMLSchema(root)


@pytest.mark.parametrize("pattern", [*_ALIKE, LEXICAL["decimal"], LEXICAL["base64"]])
def test_a_pattern_that_is_let_in_means_the_same_to_both(pattern: str) -> None:
    assert check_pattern(pattern) is None
    by_json = jsonschema_rs.validator_for({"type": "string", "pattern": pattern})
    by_xsd = _by_xsd(pattern)
    for value in _VALUES:
        element = etree.Element("v")
        element.text = value
        assert by_json.is_valid(value) == by_xsd.validate(element), value


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        (r"^[^\p{Cc}a]*$", r"^[^\u0000-\u001f\u007f-\u009fa]*$"),
        (r"^\p{Cc}?$", r"^[\u0000-\u001f\u007f-\u009f]?$"),
        (r"^[\\p{Cc}]$", r"^[\\p{Cc}]$"),
        (r"^\p{Lu}\\$", r"^\p{Lu}\\$"),
        ("^$", "^$"),
    ],
)
def test_control_characters_are_spelled_out_for_those_who_know_no_categories(pattern: str, spelled: str) -> None:
    assert check_pattern(pattern) is None
    assert portable_pattern(pattern) == spelled
    before, after = (jsonschema_rs.validator_for({"type": "string", "pattern": item}) for item in (pattern, spelled))
    assert all(before.is_valid(value) == after.is_valid(value) for value in (*_VALUES, "\x85", "\x00"))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a", "anchored"),
        ("^a", "anchored"),
        ("^", "anchored"),
        ("^a|b$", "in parentheses"),
        ("^a.b$", "column 3 "),
        (r"^\d$", "column 2 "),
        (r"^\w$", "column 2 "),
        (r"^\s$", "column 2 "),
        (r"^\ba$", "column 2 "),
        ("^(?:a)$", "column 2 "),
        ("^(?=a)$", "column 2 "),
        ("^a$b$", "column 3 "),
        ("^a^b$", "column 3 "),
        (r"^\u0041$", "column 2 "),
        (r"^\$$", "column 2 "),
        ("^a+?$", "column 4 "),
        ("^*a$", "column 2 "),
        ("^(*a)$", "column 3 "),
        ("^a{x}$", "column 3 "),
        ("^[a-z&&[b]]$", "column 2 "),
        ("^[a-z-[b]]$", "column 2 "),
        (r"^[\d]$", "column 2 "),
        ("^[[:alpha:]]$", "column 2 "),
        ("^a)$", "column 3 "),
        ("^(a$", "never closed"),
        (r"^a\$", "column 3 "),
        (r"^\p{Script=Greek}$", "column 2 "),
        (r"^(a)\1$", "column 5 "),
        ("^[]$", "column 2 "),
    ],
)
def test_a_pattern_that_would_mean_something_else_is_not_let_in(pattern: str, said: str) -> None:
    assert said in (check_pattern(pattern) or "")
