"""Lists, objects and what is absent, put into another system's request in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from adapters.mapping.declaration import Source
from adapters.mapping.declared import Declared, segments_of
from adapters.mapping.filling import Planner
from adapters.mapping.json_tree import object_of
from adapters.mapping.values import ValueUnfitError
from adapters.mapping.xml_tree import element_of
from contracts.errors import ContractError
from contracts.shape import shape_of

SHAPE = shape_of(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["children"],
        "properties": {
            "children": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "weeks": {"type": "integer"}},
                },
            },
            "tags": {"type": "array", "items": {"type": "string"}},
            "place": {
                "type": "object",
                "additionalProperties": False,
                "required": [],
                "properties": {"rate": {"type": "string", "format": "decimal"}, "open": {"type": "boolean"}},
            },
        },
    },
    "test",
)
THEIRS = Declared(
    "demande",
    required=True,
    children=(
        Declared("liste", required=True, children=(
            Declared("enfant", required=False, many=True, children=(
                Declared("@nom", required=True, leaf=True),
                Declared("semaines", required=False, leaf=True, kind="integer"),
            )),
        )),
        Declared("mot", required=False, many=True, leaf=True),
        Declared("lieu", required=False, children=(
            Declared("taux", required=False, leaf=True, kind="number"),
            Declared("ouvert", required=False, leaf=True, kind="boolean"),
        )),
        Declared("vide", required=True, nullable=True, leaf=True),
    ),
)  # fmt: skip
MAPPING: dict[str, Any] = {
    "liste/enfant": {"each": "children", "items": {"@nom": {"field": "name"}, "semaines": {"field": "weeks"}}},
    "mot": {"each": "tags", "items": {".": {"field": "."}}},
    "lieu/taux": {"field": "place/rate"},
    "lieu/ouvert": {"field": "place/open"},
}


def filled(fields: dict[str, object], mapping: dict[str, Any] = MAPPING) -> Any:
    sources = {path: Source.model_validate(source) for path, source in mapping.items()}
    plan = Planner(lambda path: segments_of(path, {})).plan(THEIRS, sources, SHAPE)
    (one,) = plan.fill(fields, None)
    return one


def xml(fields: dict[str, object]) -> str:
    return etree.tostring(element_of(filled(fields))).decode()


FULL: dict[str, object] = {
    "children": [{"name": "Zoé", "weeks": 12}, {"name": "Léo"}],
    "tags": ["a", "b"],
    "place": {"rate": "0.5", "open": True},
}
NIL = '<vide xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'


def test_lists_and_objects_in_xml() -> None:
    assert xml(FULL) == (
        '<demande><liste><enfant nom="Zo&#233;"><semaines>12</semaines></enfant><enfant nom="L&#233;o"/></liste>'
        f"<mot>a</mot><mot>b</mot><lieu><taux>0.5</taux><ouvert>true</ouvert></lieu>{NIL}</demande>"
    )


def test_lists_and_objects_in_json() -> None:
    assert object_of(filled(FULL).parts) == {
        "liste": {"enfant": [{"@nom": "Zoé", "semaines": 12}, {"@nom": "Léo"}]},
        "mot": ["a", "b"],
        "lieu": {"taux": 0.5, "ouvert": True},
        "vide": None,
    }


def test_what_is_absent_or_empty_leaves_nothing_but_what_must_be_there() -> None:
    assert xml({"children": []}) == f"<demande><liste/>{NIL}</demande>"
    assert xml({"children": [], "tags": [], "place": {}}) == f"<demande><liste/>{NIL}</demande>"


@pytest.mark.parametrize("rate", ["0.12345678901234567890", "x"])
def test_a_number_that_json_cannot_carry_exactly_is_refused(rate: str) -> None:
    with pytest.raises(ValueUnfitError):
        object_of(filled({"children": [], "place": {"rate": rate}}).parts)


def test_an_item_that_lacks_what_theirs_needs_is_refused() -> None:
    with pytest.raises(ValueUnfitError):
        filled({"children": [{"weeks": 3}]})


@pytest.mark.parametrize(
    ("path", "source", "words"),
    [
        ("liste/enfant", {"each": "place", "items": {"@nom": {"field": "name"}}}, "place is no list"),
        ("liste/enfant", {"each": "children", "items": {"@nom": {"field": "age"}}}, "no field age"),
        ("lieu", {"each": "children", "items": {"taux": {"field": "weeks"}}}, "does not repeat"),
        ("lieu", {"field": "place"}, "further places"),
        ("mot", {"field": "tags"}, "may occur often"),
        ("lieu/ouvert", {"field": "place/open", "values": {"true": "O"}}, "no value for false"),
    ],
)
def test_a_list_that_cannot_be_mapped_is_refused(path: str, source: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words) as caught:
        filled(FULL, {**MAPPING, path: source})
    assert caught.value.path[:1] == (path,)
