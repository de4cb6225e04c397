"""What their answers say by null, nil and odd times, read into canonical fields or refused; never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.mapping.declaration import Target
from adapters.mapping.declared import Declared, segments_of
from adapters.mapping.json_tree import JsonView
from adapters.mapping.reading import AnswerPlanner
from adapters.mapping.values import ValueUnfitError, reader
from adapters.mapping.xml_tree import XmlView
from contracts.leaves import Text
from contracts.shape import shape_of
from gateway.signing.xml import parse

_PERSON: dict[str, Any] = {
    "type": "object", "additionalProperties": False, "required": [], "properties": {"name": {"type": "string"}},
}  # fmt: skip
SHAPE = shape_of(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["people"],
        "properties": {
            "people": {"type": "array", "items": _PERSON},
            "guardian": _PERSON | {"type": ["object", "null"]},
            "place": _PERSON,
        },
    },
    "test",
)
_NAME = (Declared("nom", required=False, leaf=True),)
THEIRS = Declared("reponse", required=True, children=(
    Declared("personne", required=False, many=True, children=_NAME),
    Declared("tuteur", required=False, nullable=True, children=_NAME),
    Declared("lieu", required=False, nullable=True, children=_NAME),
))  # fmt: skip
TARGETS = {
    "people": Target.model_validate({"each": "personne", "fields": {"name": "nom"}}),
    "guardian": Target.model_validate({"at": "tuteur", "fields": {"name": "nom"}}),
    "place": Target.model_validate({"at": "lieu", "fields": {"name": "nom"}}),
}


def read(root: object) -> dict[str, object]:
    view = JsonView() if isinstance(root, dict) else XmlView()
    return AnswerPlanner(view, lambda path: segments_of(path, {})).plan(THEIRS, TARGETS, SHAPE).read(root)


def xml(inner: str) -> object:
    return parse(f'<reponse xmlns:i="http://www.w3.org/2001/XMLSchema-instance">{inner}</reponse>'.encode())


FULL = {"people": [{"name": "Zoé"}, {}], "guardian": {"name": "Léa"}, "place": {}}


def test_objects_and_lists() -> None:
    assert read({"personne": [{"nom": "Zoé"}, {}], "tuteur": {"nom": "Léa"}, "lieu": {}}) == FULL
    assert read(xml("<personne><nom>Zoé</nom></personne><personne/><tuteur><nom>Léa</nom></tuteur><lieu/>")) == FULL
    assert read({}) == read(xml("")) == {"people": []}


@pytest.mark.parametrize(
    "root",
    [
        {"tuteur": None, "lieu": None},
        xml('<tuteur i:nil="true"/><lieu i:nil="1"/>'),
        xml('<tuteur i:nil=" true "/><lieu i:nil=" 1 "/>'),
    ],
    ids=["json", "xml", "space_around"],
)
def test_a_null_object_is_null_or_absent_and_no_object_without_fields(root: object) -> None:
    assert read(root) == {"people": [], "guardian": None}


@pytest.mark.parametrize(
    "root",
    [{"personne": None}, {"personne": [None]}, {"personne": [{"nom": "a"}, None]}, xml('<personne i:nil="true"/>')],
    ids=["list", "only_item", "item", "xml"],
)
def test_a_null_item_has_no_canonical_form(root: object) -> None:
    with pytest.raises(ValueUnfitError):
        read(root)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("0001-01-01 00:00+0500", "%Y-%m-%d %H:%M%z"),
        ("2026-06-30T24:00:00-05:00", None),
        ("2026-06-30T23:59:60Z", None),
        ("2026-06-30T10:00:00", None),
    ],
    ids=["before_year_1", "after_9999", "before_year_1_in_a_form", "24:00", "leap_second", "no_zone"],
)
def test_a_moment_that_is_none_in_utc_is_refused(text: str, form: str | None) -> None:
    taken = reader({}, form, Text("date-time"))
    assert taken("2026-06-30 10:00-0400" if form else "2026-06-30T10:00:00-04:00") == "2026-06-30T14:00:00Z"
    with pytest.raises(ValueUnfitError):
        taken(text)
