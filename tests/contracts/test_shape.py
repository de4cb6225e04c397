"""What cannot be translated is refused when the contract loads; what can has its shape."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.shape import ContractError, Fields, Many, Member, Text, shape_of

Schema = dict[str, Any]


def _object(**properties: object) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _one(**words: object) -> Schema:
    return _object(value=words)


def test_a_message_has_its_shape() -> None:
    schema = _object(
        code={"type": "string", "enum": ["a", "b"], "xml": {"attribute": True, "name": "Code"}},
        amount={"type": "string", "format": "decimal"},
        count={"type": ["integer", "null"], "minimum": 0, "maximum": 9},
        days={"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1, "xml": {"item": "day"}},
        yes={"type": "boolean"},
        by={"type": "string", "pattern": "^[a-z]+$", "minLength": 1, "maxLength": 9},
        at={"type": "string", "format": "date-time"},
        salt={"type": "string", "sensitivity": "salt"},
    )
    schema |= {"required": ["amount"], "oneOf": [{"required": ["by"]}, {"required": ["at"]}]}
    assert shape_of(schema, "x") == Fields(
        members=(
            Member("code", "Code", attribute=True, required=False, nullable=False, shape=Text("string", ("a", "b"))),
            Member("amount", "amount", attribute=False, required=True, nullable=False, shape=Text("decimal")),
            _member("count", Text("integer", minimum=0, maximum=9), nullable=True),
            _member("days", Many(Text("date"), "day", 1, None)),
            _member("yes", Text("boolean")),
            _member("by", Text("string", pattern="^[a-z]+$", min_length=1, max_length=9)),
            _member("at", Text("date-time")),
            _member("salt", Text("base64")),
        ),
        choices=(("by", "at"),),
    )


def _member(name: str, shape: Text | Many | Fields, *, nullable: bool = False) -> Member:
    return Member(name, name, attribute=False, required=False, nullable=nullable, shape=shape)


def test_objects_and_lists_stand_in_one_another() -> None:
    inner = _object(value={"type": "boolean"})
    lists = {"type": "array", "items": {"type": "array", "items": inner, "xml": {"item": "one"}}, "maxItems": 3}
    (member,) = shape_of(_object(rows=lists), "x").members
    leaf = Fields((_member("value", Text("boolean")),))
    assert member.shape == Many(Many(leaf, "one", 0, None), "item", 0, 3)


def test_several_choices() -> None:
    schema = _object(**{name: {"type": "boolean"} for name in "abcd"})
    groups = [[{"required": [one]}, {"required": [other]}] for one, other in ("ba", "cd")]
    schema["allOf"] = [{"oneOf": group} for group in groups]
    assert shape_of(schema, "x").choices == (("a", "b"), ("c", "d"))


def _deep(levels: int) -> Schema:
    schema: Schema = {"type": "boolean"}
    for _ in range(levels):
        schema = _object(value=schema)
    return schema


def test_depth_has_an_end() -> None:
    assert shape_of(_deep(9), "x").members
    with pytest.raises(ContractError, match="deeper than 10 levels; flatten"):
        shape_of(_deep(10), "x")


_TWO = {"a": {"type": "boolean"}, "b": {"type": "boolean"}, "c": {"type": "boolean"}}
_REQUIRED = [{"required": ["a"]}, {"required": ["b"]}]

_NULLABLE = {"type": ["object", "null"]}

_REFUSED: dict[str, tuple[Schema, str, tuple[str, ...]]] = {
    "root_array": ({"type": "array", "items": {"type": "boolean"}}, "must be an object", ("type",)),
    "root_null": (_object() | {"type": ["object", "null"]}, "must be an object", ("type",)),
    "open": ({"type": "object"}, "additionalProperties: false", ()),
    "number": (_one(type="number"), "format: decimal", ("properties", "value", "type")),
    "two_types": (_one(type=["string", "integer"]), "type is one of", ("properties", "value", "type")),
    "no_type": (_one(), "type is one of", ("properties", "value", "type")),
    "no_schema": (_object(value=True), "a schema is a mapping", ("properties", "value")),
    "reference": (_one(type="string", **{"$ref": "#/a"}), r"\$ref cannot be said", ("properties", "value", "$ref")),
    "const": (_one(type="string", const="a"), "const cannot be said", ("properties", "value", "const")),
    "unique_items": (
        _one(type="array", items={"type": "boolean"}, uniqueItems=True),
        "uniqueItems cannot be said of array",
        ("properties", "value", "uniqueItems"),
    ),
    "any_of": (_object() | {"anyOf": []}, "anyOf cannot be said of object", ("anyOf",)),
    "conditions": (_object() | {"if": {}}, "if cannot be said of object", ("if",)),
    "unknown_format": (_one(type="string", format="email"), "format is one of", ("properties", "value", "format")),
    "pattern_of_a_date": (
        _one(type="string", format="date", pattern="^2.*$"),
        "pattern is for free text",
        ("properties", "value", "pattern"),
    ),
    "length_of_bytes": (
        _one(type="string", contentEncoding="base64", maxLength=9),
        "maxLength is for free text",
        ("properties", "value", "maxLength"),
    ),
    "hexadecimal": (
        _one(type="string", contentEncoding="base16"),
        "is base64",
        ("properties", "value", "contentEncoding"),
    ),
    "bytes_with_a_format": (
        _one(type="string", contentEncoding="base64", format="date"),
        "no format beside it",
        ("properties", "value", "contentEncoding"),
    ),
    "pattern_without_anchors": (
        _one(type="string", pattern="[a-z]"),
        "is anchored",
        ("properties", "value", "pattern"),
    ),
    "pattern_that_is_none": (_one(type="string", pattern=1), "pattern is text", ("properties", "value", "pattern")),
    "enum_of_numbers": (_one(type="string", enum=[1]), "enum lists texts", ("properties", "value", "enum")),
    "enum_of_nothing": (_one(type="string", enum=[]), "enum lists texts", ("properties", "value", "enum")),
    "enum_repeated": (_one(type="string", enum=["a", "a"]), "each once", ("properties", "value", "enum")),
    "enum_without_null": (
        _one(type=["string", "null"], enum=["a"]),
        "null where the type",
        ("properties", "value", "enum"),
    ),
    "enum_with_null": (_one(type="string", enum=["a", None]), "null where the type", ("properties", "value", "enum")),
    "length_that_is_none": (_one(type="string", maxLength=-1), "whole number", ("properties", "value", "maxLength")),
    "length_true": (_one(type="string", maxLength=True), "whole number", ("properties", "value", "maxLength")),
    "no_length_left": (
        _one(type="string", minLength=2, maxLength=1),
        "no value would be valid",
        ("properties", "value", "maxLength"),
    ),
    "bound_that_is_no_integer": (_one(type="integer", minimum=0.5), "whole", ("properties", "value", "minimum")),
    "bound_past_2_53": (_one(type="integer", maximum=2**53), "whole number", ("properties", "value", "maximum")),
    "no_integer_left": (
        _one(type="integer", minimum=2, maximum=1),
        "no value would be valid",
        ("properties", "value", "maximum"),
    ),
    "name_with_capitals": (_object(Value={"type": "boolean"}), "small letters", ("properties", "Value")),
    "name_that_is_a_number": ({**_object(), "properties": {1: {"type": "boolean"}}}, "small", ("properties", "1")),
    "properties_in_a_list": ({**_object(), "properties": []}, "is a mapping", ("properties",)),
    "required_of_nothing": (_object() | {"required": ["a"]}, "required lists fields", ("required",)),
    "required_twice": (_object(**_TWO) | {"required": ["a", "a"]}, "each once", ("required",)),
    "required_that_is_no_list": (_object(**_TWO) | {"required": "a"}, "required lists", ("required",)),
    "tag_reserved": (_one(type="boolean", xml={"name": "xmlValue"}), "XML name is", ("properties", "value", "xml")),
    "tag_with_a_prefix": (_one(type="boolean", xml={"name": "a:b"}), "XML name is", ("properties", "value", "xml")),
    "tag_repeated": (
        _object(a={"type": "boolean"}, b={"type": "boolean", "xml": {"name": "a"}}),
        "XML name a;",
        ("properties",),
    ),
    "xml_namespace": (_one(type="boolean", xml={"namespace": "a"}), "xml says", ("properties", "value", "xml")),
    "xml_item_of_a_leaf": (_one(type="boolean", xml={"item": "a"}), "xml says", ("properties", "value", "xml")),
    "xml_of_an_item": (
        _one(type="array", items={"type": "boolean", "xml": {"name": "a"}}),
        "xml says",
        ("properties", "value", "items", "xml"),
    ),
    "xml_that_is_no_mapping": (_one(type="boolean", xml="a"), "xml says", ("properties", "value", "xml")),
    "attribute_of_an_object": (
        _object(value=_object() | {"xml": {"attribute": True}}),
        "one value",
        ("properties", "value", "xml"),
    ),
    "attribute_that_may_be_null": (
        _one(type=["string", "null"], xml={"attribute": True}),
        "never null",
        ("properties", "value", "xml"),
    ),
    "attribute_maybe": (_one(type="string", xml={"attribute": 1}), "one value", ("properties", "value", "xml")),
    "items_missing": (_one(type="array"), "a schema is a mapping", ("properties", "value", "items")),
    "items_null": (
        _one(type="array", items={"type": ["string", "null"]}),
        "never null",
        ("properties", "value", "items", "type"),
    ),
    "no_list_left": (
        _one(type="array", items={"type": "boolean"}, minItems=2, maxItems=1),
        "no list would be valid",
        ("properties", "value", "maxItems"),
    ),
    "nil_without_its_attributes": (
        _object(value=_object(a={"type": "boolean", "xml": {"attribute": True}}) | _NULLABLE | {"required": ["a"]}),
        "lack its required attributes",
        ("properties", "value"),
    ),
    "nil_with_a_choice": (
        _object(value=_object(**_TWO) | _NULLABLE | {"oneOf": _REQUIRED}),
        "never null",
        ("properties", "value"),
    ),
    "choice_of_one": (_object(**_TWO) | {"oneOf": _REQUIRED[:1]}, "a choice is oneOf", ("oneOf",)),
    "choice_of_pairs": (
        _object(**_TWO) | {"oneOf": [{"required": ["a", "b"]}, {"required": ["c"]}]},
        "a choice is",
        ("oneOf",),
    ),
    "choice_by_schema": (
        _object(**_TWO) | {"oneOf": [{"required": ["a"]}, {"properties": {}}]},
        "a choice is",
        ("oneOf",),
    ),
    "choice_of_the_unknown": (
        _object(**_TWO) | {"oneOf": [{"required": ["a"]}, {"required": ["z"]}]},
        "side by side",
        ("oneOf",),
    ),
    "choice_with_a_gap": (
        _object(**_TWO) | {"oneOf": [{"required": ["a"]}, {"required": ["c"]}]},
        "side by side",
        ("oneOf",),
    ),
    "choice_required": (_object(**_TWO) | {"oneOf": _REQUIRED, "required": ["a"]}, "none of them required", ("oneOf",)),
    "choice_of_attributes": (
        _object(a={"type": "boolean", "xml": {"attribute": True}}, b={"type": "boolean"}) | {"oneOf": _REQUIRED},
        "an attribute",
        ("oneOf",),
    ),
    "choice_in_both": (
        _object(**_TWO) | {"oneOf": _REQUIRED, "allOf": [{"oneOf": _REQUIRED}]},
        "in one list",
        ("allOf",),
    ),
    "choice_twice": (
        _object(**_TWO) | {"allOf": [{"oneOf": _REQUIRED}, {"oneOf": _REQUIRED}]},
        "one choice only",
        ("allOf",),
    ),
    "all_of_schemas": (_object(**_TWO) | {"allOf": [{"type": "object"}]}, "a choice is", ("allOf",)),
    "all_of_no_list": (_object(**_TWO) | {"allOf": {}}, "in one list", ("allOf",)),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_what_cannot_be_translated_is_refused_where_it_stands(case: str) -> None:
    schema, said, path = _REFUSED[case]
    with pytest.raises(ContractError, match=said) as raised:
        shape_of(schema, "op.request")
    assert raised.value.path == path
    assert str(raised.value).startswith("op.request")
