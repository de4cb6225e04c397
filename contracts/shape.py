"""A canonical message's shape: the part of JSON Schema that has one meaning in JSON and in XML.

Whatever lies outside it is refused when the contract loads: what cannot be translated is refused (C1, C3). The schema
says what is valid; the shape says what a message is made of, so that both forms can be read and written without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.errors import ContractError
from contracts.leaves import Kind, Text, bound, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ContractError", "Fields", "Kind", "Many", "Member", "Shape", "Text", "shape_of"]

#: Deeper than any message should be, and well above the readers' own limits (JSON 16, XML 64).
_DEEPEST = 10
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_TAG = re.compile(r"(?![xX][mM][lL])[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_SAID_OF_ALL = {"type", "description", "sensitivity", "xml"}
_SAID_OF_LEAVES = _SAID_OF_ALL | {"example"}
_SAID_OF: dict[str, set[str]] = {
    "object": _SAID_OF_ALL | {"properties", "required", "additionalProperties", "oneOf", "allOf"},
    "array": _SAID_OF_ALL | {"items", "minItems", "maxItems"},
    "string": _SAID_OF_LEAVES | {"format", "contentEncoding", "enum", "pattern", "minLength", "maxLength"},
    "integer": _SAID_OF_LEAVES | {"minimum", "maximum"},
    "boolean": _SAID_OF_LEAVES,
}


@dataclass(frozen=True, slots=True)
class Many:
    """A JSON array; in XML a wrapper with an element per item, so that absent, null, empty and full differ."""

    item: Shape
    item_name: str
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A field of an object.

    Attributes:
        name: in JSON.
        tag: the XML local name; ``xml: {name: ...}`` gives it where it is another.
        attribute: an XML attribute, ``xml: {attribute: true}``; leaves only.
        required: present in each message.
        nullable: JSON null, ``xsi:nil="true"``; ``type: [T, "null"]`` in the schema.
        shape: of its value.
    """

    name: str
    tag: str
    attribute: bool
    required: bool
    nullable: bool
    shape: Shape


@dataclass(frozen=True, slots=True)
class Fields:
    """A closed JSON object; in XML a sequence in declared order.

    ``choices`` holds groups of names that stand side by side: of each group exactly one is present. In the schema a
    group is ``oneOf: [{required: [a]}, {required: [b]}]``, and several of them stand under ``allOf``.
    """

    members: tuple[Member, ...]
    choices: tuple[tuple[str, ...], ...] = ()


Shape = Text | Many | Fields


def shape_of(schema: Mapping[str, Any], where: str) -> Fields:
    """The shape of a message; raises ContractError for all that cannot be translated, its text beginning ``where``."""
    type_name, nullable = _type(schema, where)
    if type_name != "object" or nullable:
        raise ContractError(f"{where}: must be an object, the root element's content; say type: object", ("type",))
    return _fields(schema, where, 1)


def _shape(type_name: str, schema: Mapping[str, Any], where: str, depth: int) -> Shape:
    if depth > _DEEPEST:
        raise ContractError(f"{where}: deeper than {_DEEPEST} levels; flatten the message")
    if type_name == "object":
        return _fields(schema, where, depth)
    return _many(schema, where, depth) if type_name == "array" else text_of(type_name, schema, where)


def _type(schema: object, where: str) -> tuple[str, bool]:
    """The type's name, and whether null is allowed beside it; nothing is said that cannot be said of it."""
    if not isinstance(schema, dict):
        raise ContractError(f"{where}: a schema is a mapping with a type")
    said = schema.get("type")
    nullable = isinstance(said, list) and said[1:] == ["null"]
    name = said[0] if isinstance(said, list) and nullable else said
    if name == "number":
        raise ContractError(
            f"{where}: a JSON number with a fraction has no exact value; use type: string, format: decimal", ("type",)
        )
    if not isinstance(name, str) or name not in _SAID_OF:
        raise ContractError(f'{where}: type is one of {", ".join(_SAID_OF)}, or [one of them, "null"]', ("type",))
    if unknown := next((word for word in schema if word not in _SAID_OF[name]), None):
        known = ", ".join(sorted(_SAID_OF[name]))
        raise ContractError(f"{where}: {unknown} cannot be said of {name} in both forms; {known} can", (str(unknown),))
    return name, nullable


def _fields(schema: Mapping[str, Any], where: str, depth: int) -> Fields:
    if schema.get("additionalProperties") is not False:
        raise ContractError(f"{where}: must be a closed object (C7); say additionalProperties: false")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict):
        raise ContractError(f"{where}: properties is a mapping of names to schemas", ("properties",))
    if not _names(required) or not set(required) <= properties.keys():
        raise ContractError(f"{where}: required lists fields that properties declares, each once", ("required",))
    members = tuple(_member(name, field, name in required, where, depth) for name, field in properties.items())
    for attribute in (False, True):
        tags = [member.tag for member in members if member.attribute is attribute]
        if repeated := next((tag for tag in tags if tags.count(tag) > 1), None):
            raise ContractError(f"{where}: two fields have the XML name {repeated}; give each its own", ("properties",))
    return Fields(members, _choices(schema, members, where))


def _names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _member(name: object, schema: Mapping[str, Any], required: bool, where: str, depth: int) -> Member:  # noqa: FBT001  private, named at its one call
    place = ("properties", str(name))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ContractError(f"{where}: a field's name is small letters, digits and _, a letter first", place)
    below = f"{where}.{name}"
    try:
        type_name, nullable = _type(schema, below)
        shape = _shape(type_name, schema, below, depth + 1)
        said = ("name", "attribute", "item") if isinstance(shape, Many) else ("name", "attribute")
        xml = _xml(schema, said, below)
        if nullable:
            _check_nil(shape, below)
        attribute = _attribute(xml, isinstance(shape, Text) and not nullable, below)
        tag = _tag(xml.get("name", name), below)
    except ContractError as error:
        raise error.below(*place) from None
    return Member(name, tag, attribute, required, nullable, shape)


def _check_nil(shape: Shape, where: str) -> None:
    if isinstance(shape, Fields) and any(member.attribute and member.required for member in shape.members):
        raise ContractError(f"{where}: null, as a nil element, would lack its required attributes; make them optional")
    if isinstance(shape, Fields) and shape.choices:
        # JSON Schema's oneOf of required fields holds twice for what is no object, and so refuses null.
        raise ContractError(f"{where}: an object with a choice is never null; leave it out instead, or nest the choice")


def _xml(schema: Mapping[str, Any], known: Sequence[str], where: str) -> Mapping[str, Any]:
    xml = schema.get("xml", {})
    if not isinstance(xml, dict) or xml.keys() - set(known):
        raise ContractError(f"{where}: xml says {', '.join(known)} and nothing else", ("xml",))
    return xml


def _attribute(xml: Mapping[str, Any], possible: bool, where: str) -> bool:  # noqa: FBT001  private, named at its one call
    attribute = xml.get("attribute", False)
    if not isinstance(attribute, bool) or (attribute and not possible):
        raise ContractError(f"{where}: only one value that is never null can be an XML attribute", ("xml",))
    return attribute


def _tag(value: object, where: str) -> str:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise ContractError(
            f"{where}: an XML name is ASCII letters, digits, _ . -, a letter first, never xml", ("xml",)
        )
    return value


def _many(schema: Mapping[str, Any], where: str, depth: int) -> Many:
    item = schema.get("items")
    try:
        type_name, nullable = _type(item, f"{where}[]")
        shape = _shape(type_name, item or {}, f"{where}[]", depth + 1)
        _xml(item or {}, ("item",) if isinstance(shape, Many) else (), f"{where}[]")
    except ContractError as error:
        raise error.below("items") from None
    if nullable:
        raise ContractError(f"{where}[]: an item is never null; leave it out of the list", ("items", "type"))
    least, most = bound(schema, "minItems", where, 0), bound(schema, "maxItems", where, 0)
    if most is not None and (least or 0) > most:
        raise ContractError(f"{where}: maxItems is below minItems; no list would be valid", ("maxItems",))
    name = _xml(schema, ("name", "attribute", "item"), where).get("item", "item")
    return Many(shape, _tag(name, where), least or 0, most)


def _choices(schema: Mapping[str, Any], members: Sequence[Member], where: str) -> tuple[tuple[str, ...], ...]:
    if "oneOf" in schema:
        groups, word = [{"oneOf": schema["oneOf"]}], "oneOf"
    else:
        groups, word = schema.get("allOf", []), "allOf"
    if not isinstance(groups, list) or {"oneOf", "allOf"} <= schema.keys():
        raise ContractError(f"{where}: several choices stand in one list, allOf: [{{oneOf: [...]}}, ...]", ("allOf",))
    choices = tuple(_choice(group, members, where, word) for group in groups)
    if len({name for choice in choices for name in choice}) != sum(map(len, choices)):
        raise ContractError(f"{where}: a field stands in one choice only", (word,))
    return choices


def _choice(group: object, members: Sequence[Member], where: str, word: str) -> tuple[str, ...]:
    alternatives = group["oneOf"] if isinstance(group, dict) and group.keys() == {"oneOf"} else None
    names = [_alternative(item) for item in alternatives] if isinstance(alternatives, list) else []
    if len(names) < len(("a", "b")) or None in names:
        raise ContractError(f"{where}: a choice is oneOf: [{{required: [a]}}, {{required: [b]}}, ...]", (word,))
    places = [place for place, member in enumerate(members) if member.name in names]
    fit = all(not members[place].required and not members[place].attribute for place in places)
    if len(places) != len(names) or places != list(range(places[0], places[0] + len(names))) or not fit:
        raise ContractError(
            f"{where}: the fields of a choice stand side by side in properties, none of them required or an attribute",
            (word,),
        )
    return tuple(members[place].name for place in places)


def _alternative(item: object) -> str | None:
    """The one field that an alternative of a choice asks for."""
    required = item["required"] if isinstance(item, dict) and item.keys() == {"required"} else None
    return required[0] if isinstance(required, list) and _names(required) and len(required) == 1 else None
