"""The XML Schema of a service's messages: the same elements that translation reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.declaration import SALT
from contracts.generate import xml
from contracts.leaves import INTEGER_MAX, LEXICAL
from contracts.names import soap_names, soap_namespace
from contracts.patterns import xsd_pattern
from contracts.shape import Many, Text, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.etree import _Element

    from contracts.declaration import Contract, Operation
    from contracts.shape import Fields, Member

_BASES = {"string": "string", "date": "date", "date-time": "dateTime", "decimal": "decimal", "base64": "base64Binary"}
#: Of these XSD admits more spellings than the one form (time zones, spaces); of the others translation takes them all.
_NARROWED = ("date", "date-time", "base64")
#: Of a salt (C4), in bytes.
_SALT_FACETS = {"minLength": 16, "maxLength": 64}


def xsd(contract: Contract) -> bytes:
    """The schema as a document of its own."""
    return xml.document(schema_element(contract))


def schema_element(contract: Contract) -> _Element:
    """``xs:schema`` with the request and response element of each operation; elements qualified, attributes not."""
    namespace = soap_namespace(contract)
    schema = xml.root("xs:schema", ("xs",), {"targetNamespace": namespace, "elementFormDefault": "qualified"})
    for name, operation in contract.operations.items():
        names = soap_names(contract, name)
        _message(schema, names.request, f"{name}.request", operation, operation.request)
        _message(schema, names.response, f"{name}.response", operation, operation.response)
    return schema


def _message(parent: _Element, element: str, where: str, operation: Operation, schema: Mapping[str, Any]) -> None:
    declared = xml.add(parent, "xs:element", {"name": element})
    _explain(declared, {"fr": operation.title.fr, "en": operation.title.en})
    _object(declared, schema, shape_of(schema, where))


def _explain(parent: _Element, words: Mapping[str, str] | None) -> None:
    if words:
        annotation = xml.add(parent, "xs:annotation")
        for language in ("fr", "en"):
            xml.add(annotation, "xs:documentation", {"xml:lang": language}, words[language])


def _object(parent: _Element, schema: Mapping[str, Any], shape: Fields) -> None:
    kind = xml.add(parent, "xs:complexType")
    sequence = xml.add(kind, "xs:sequence")
    for group in _groups(shape):
        if len(group) == 1:
            _element(sequence, schema["properties"][group[0].name], group[0], least="1" if group[0].required else "0")
            continue
        choice = xml.add(sequence, "xs:choice")
        for member in group:
            _element(choice, schema["properties"][member.name], member, least="1")
    for member in shape.members:
        if member.attribute and isinstance(member.shape, Text):
            attribute = {"name": member.tag, "use": "required" if member.required else "optional"}
            declared = xml.add(kind, "xs:attribute", attribute)
            _explain(declared, schema["properties"][member.name].get("description"))
            _simple(declared, schema["properties"][member.name], member.shape)


def _groups(shape: Fields) -> Iterator[tuple[Member, ...]]:
    """The elements in order; those of a choice together."""
    elements = {member.name: member for member in shape.members if not member.attribute}
    chosen = {name: choice for choice in shape.choices for name in choice}
    for name, member in elements.items():
        choice = chosen.get(name, (name,))
        if choice[0] == name:
            yield tuple(elements[each] for each in choice) if len(choice) > 1 else (member,)


def _element(parent: _Element, schema: Mapping[str, Any], member: Member, least: str) -> None:
    attributes = {"name": member.tag}
    if least == "0":
        attributes["minOccurs"] = "0"
    if member.nullable:
        attributes["nillable"] = "true"
    declared = xml.add(parent, "xs:element", attributes)
    _explain(declared, schema.get("description"))
    _content(declared, schema, member.shape)


def _content(parent: _Element, schema: Mapping[str, Any], shape: Text | Many | Fields) -> None:
    if isinstance(shape, Text):
        _simple(parent, schema, shape)
    elif isinstance(shape, Many):
        sequence = xml.add(xml.add(parent, "xs:complexType"), "xs:sequence")
        most = "unbounded" if shape.most is None else str(shape.most)
        item = xml.add(
            sequence, "xs:element", {"name": shape.item_name, "minOccurs": str(shape.least), "maxOccurs": most}
        )
        _content(item, schema["items"], shape.item)
    else:
        _object(parent, schema, shape)


def _simple(parent: _Element, schema: Mapping[str, Any], shape: Text) -> None:
    if shape.kind == "boolean":
        parent.set("type", "xs:boolean")
        return
    base = "long" if shape.kind == "integer" else _BASES[shape.kind]
    facets = list(_facets(schema, shape))
    if not facets:
        parent.set("type", f"xs:{base}")
        return
    restriction = xml.add(xml.add(parent, "xs:simpleType"), "xs:restriction", {"base": f"xs:{base}"})
    for name, value in facets:
        xml.add(restriction, f"xs:{name}", {"value": value})


def _facets(schema: Mapping[str, Any], shape: Text) -> Iterator[tuple[str, str]]:
    if shape.kind == "integer":
        yield "minInclusive", str(-INTEGER_MAX if shape.minimum is None else shape.minimum)
        yield "maxInclusive", str(INTEGER_MAX if shape.maximum is None else shape.maximum)
    elif shape.kind == "decimal":
        yield "totalDigits", "36"
        yield "fractionDigits", "18"
    elif shape.kind in _NARROWED:
        yield "pattern", xsd_pattern(LEXICAL[shape.kind])
        if schema.get("sensitivity") == SALT:
            yield from ((name, str(value)) for name, value in _SALT_FACETS.items())
    elif shape.kind == "string":
        yield from _of_text(shape)


def _of_text(shape: Text) -> Iterator[tuple[str, str]]:
    if shape.pattern is not None:
        yield "pattern", xsd_pattern(shape.pattern)
    for value in shape.enum:
        yield "enumeration", value
    if shape.min_length is not None:
        yield "minLength", str(shape.min_length)
    if shape.max_length is not None:
        yield "maxLength", str(shape.max_length)
