"""Contracts and messages at random: any schema that loads, and any message that it declares."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from contracts.shape import Fields, Many, Text, shape_of
from tests.translation.asked import contract_of, leaf

if TYPE_CHECKING:
    from collections.abc import Callable

    from contracts.loader import Contract
    from contracts.shape import Shape

    Draw = Callable[[st.SearchStrategy[Any]], Any]

_LARGEST = 2**53 - 1
_DEEPEST = 3
#: What an XML document can hold, and a good part of what is awkward in one.
CHARACTERS = st.one_of(
    st.sampled_from("\t\n\r <>&\"'éÀ]\u0085\u2028\ufffd😀"),
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=("Cc", "Cs")),
)
_TEXT = st.text(CHARACTERS, max_size=12)
_WORDS = ["a", "b c", " d", "e\t", "À", "<&>", "\"'", "😀", "1"]
_PATTERNS = {
    "^[a-z]{0,4}$": st.from_regex(r"[a-z]{0,4}", fullmatch=True),
    "^(é|[0-9]{2})*$": st.lists(st.sampled_from(["é", "07"]), max_size=4).map("".join),
    "^[^\\p{Cc}]*$": _TEXT.map(lambda said: re.sub(r"[\x00-\x1f\x7f-\x9f]", "", said)),
    "^(\\p{Lu}[a-z]*)( [A-Z]+)?$": st.from_regex(r"[A-ZÀÉ][a-z]{0,3}( [A-Z]{1,3})?", fullmatch=True),
}
_DATES = st.dates(min_value=date(1000, 1, 1)).map(str)
_STRING = st.just("string")
#: What a leaf's schema may say, by what it is.
_LEAF_WORDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "text": st.fixed_dictionaries({"type": _STRING}),
    "pattern": st.fixed_dictionaries({"type": _STRING, "pattern": st.sampled_from(sorted(_PATTERNS))}),
    "length": st.fixed_dictionaries({"type": _STRING, "minLength": st.integers(0, 2), "maxLength": st.integers(2, 9)}),
    "enum": st.fixed_dictionaries(
        {"type": _STRING, "enum": st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3, unique=True)}
    ),
    "format": st.fixed_dictionaries({"type": _STRING, "format": st.sampled_from(["date", "date-time", "decimal"])}),
    "base64": st.just({"type": "string", "contentEncoding": "base64"}),
    "boolean": st.just({"type": "boolean"}),
    "integer": st.sampled_from([{"type": "integer"} | bounds for bounds in ({}, {"minimum": 0}, {"maximum": 5})]),
}
_LEAVES: dict[str, st.SearchStrategy[str | int | bool]] = {
    "date": _DATES,
    "date-time": st.builds(
        "{}T{:02}:{:02}:{:02}{}Z".format, _DATES, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59),
        st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,9}", fullmatch=True)),
    ),
    "decimal": st.from_regex(
        re.compile(r"0|-?([1-9][0-9]{0,17}(\.[0-9]{0,17}[1-9])?|0\.[0-9]{0,17}[1-9])", re.ASCII), fullmatch=True
    ),
    "boolean": st.booleans(),
    "base64": st.binary(max_size=9).map(lambda data: b64encode(data).decode()),
}  # fmt: skip


@st.composite
def contracts(draw: Draw) -> Contract:
    """A contract whose one operation asks and answers a message of a random shape."""
    message = _object(draw, 1)
    for field in message["properties"].values():
        field["sensitivity"] = "public"
    return contract_of(message)


def shape(contract: Contract) -> Fields:
    """Of its message."""
    return shape_of(contract.operations["rich.ask"].request, "message")


def _object(draw: Draw, depth: int) -> dict[str, Any]:
    names = [f"f{index}" for index in range(draw(st.integers(0, 5)))]
    properties = {name: _field(draw, name, depth) for name in names}
    required = [name for name in names if draw(st.booleans())]
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    free = [name for name in names if name not in required and not properties[name].get("xml", {}).get("attribute")]
    beside = [(one, other) for one, other in pairwise(names) if one in free and other in free]
    if beside and draw(st.booleans()):
        schema["oneOf"] = [{"required": [name]} for name in beside[0]]
    return schema | ({"required": required} if required else {})


def _field(draw: Draw, name: str, depth: int) -> dict[str, Any]:
    schema = leaf("", **_any(draw, depth))
    xml: dict[str, Any] = {"name": name.upper()} if draw(st.booleans()) else {}
    if _may_be_null(schema) and draw(st.booleans()):
        schema["type"] = [schema["type"], "null"]
        schema |= {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    elif schema["type"] not in {"object", "array"} and draw(st.booleans()):
        xml["attribute"] = True
    return schema | ({"xml": schema.get("xml", {}) | xml} if xml else {})


def _may_be_null(schema: dict[str, Any]) -> bool:
    """A null has no attributes and makes no choice: an object that must have some does not load."""
    fields = schema.get("properties", {}).values()
    return "oneOf" not in schema and not any(field.get("xml", {}).get("attribute") for field in fields)


def _any(draw: Draw, depth: int) -> dict[str, Any]:
    kind = draw(st.sampled_from([*_LEAF_WORDS] + (["object", "array"] if depth < _DEEPEST else [])))
    if kind == "object":
        return _object(draw, depth + 1)
    if kind == "array":
        named: dict[str, Any] = {"xml": {"item": "each"}} if draw(st.booleans()) else {}
        return {"type": "array", "items": _any(draw, depth + 1), "maxItems": 3} | named
    words = draw(_LEAF_WORDS[kind])
    return dict(words)


@st.composite
def messages(draw: Draw, of: Shape) -> Any:
    """A value of that shape, canonical."""
    return _message(draw, of)


def _message(draw: Draw, of: Shape) -> Any:
    if isinstance(of, Text):
        return draw(_values(of))
    if isinstance(of, Many):
        return [_message(draw, of.item) for _ in range(draw(st.integers(of.least, 3)))]
    in_choices = {name for group in of.choices for name in group}
    chosen = {draw(st.sampled_from(group)) for group in of.choices}
    fields: dict[str, Any] = {}
    for member in of.members:
        there = member.name in chosen if member.name in in_choices else member.required or draw(st.booleans())
        if there:
            null = member.nullable and draw(st.integers(0, 3)) == 0
            fields[member.name] = None if null else _message(draw, member.shape)
    return fields


def _values(text: Text) -> st.SearchStrategy[Any]:
    if text.enum:
        return st.sampled_from(text.enum)
    if text.pattern is not None:
        return _PATTERNS[text.pattern]
    if text.kind == "integer":
        least = -_LARGEST if text.minimum is None else text.minimum
        return st.integers(least, _LARGEST if text.maximum is None else text.maximum)
    if text.kind == "string":
        return st.text(CHARACTERS, min_size=text.min_length or 0, max_size=text.max_length or 12)
    return _LEAVES[text.kind]
