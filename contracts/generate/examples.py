"""An example of each message, the same each time, in JSON and in XML; none of its values belongs to anybody.

A field's ``example`` in the contract is taken as it stands; the others follow from their kind. A field with a pattern
needs one: what a pattern means to people cannot be made up.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
from lxml import etree

from contracts.errors import ContractError
from contracts.generate import xml
from contracts.names import soap_names
from contracts.plain import judging_schema
from contracts.rest import fields_in_target, rest_target
from contracts.shape import Fields, Many, Text, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.declaration import Contract, Operation, Schema
    from contracts.shape import Member, Shape

#: A day that nobody disputes, and a moment in it.
_DAY: Final = "2026-11-23"
_BY_KIND: Final = {"date": _DAY, "date-time": f"{_DAY}T14:30:00Z", "decimal": "12.5", "boolean": True}
_SALT_BYTES: Final = 16
_PARTS: Final = ("request", "response")


def example(schema: Schema, where: str) -> dict[str, Any]:
    """The canonical message with every field that can be there; of a choice the first.

    Raises ContractError where a field lacks its example, or has one that the schema itself refuses.
    """
    fields = _object(schema, shape_of(schema, where), where)
    validator = jsonschema_rs.validator_for(judging_schema(schema), validate_formats=True)
    if wrong := next(validator.iter_errors(fields), None):
        at = ".".join(str(step) for step in wrong.instance_path)
        raise ContractError(f"{where}.{at}: its example is not valid; correct it")
    return fields


def json_body(operation: Operation, part: str, fields: Mapping[str, Any]) -> bytes | None:
    """The message as REST has it, without what stands in path or query; None where no body is sent."""
    if part == "request":
        if operation.rest.method == "GET":
            return None
        fields = {name: value for name, value in fields.items() if name not in fields_in_target(operation)}
        if operation.acknowledges:  # the one body with one form, to the byte (L12)
            return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps(fields, ensure_ascii=False, indent=2).encode() + b"\n"


def xml_element(contract: Contract, name: str, part: str, fields: Mapping[str, Any]) -> etree._Element:
    """The message as SOAP has it: the Body's one child."""
    names, operation = soap_names(contract, name), contract.operations[name]
    schema = operation.request if part == "request" else operation.response
    local = names.request if part == "request" else names.response
    element = xml.unprefixed(local, names.namespace)
    _write(element, fields, shape_of(schema, name), names.namespace)
    return element


def examples(contract: Contract) -> dict[str, bytes]:
    """Each example by its file's name: OPERATION.request.json, .xml, OPERATION.response.json, .xml.

    A request without a body has its method and target in OPERATION.request.txt.
    """
    files: dict[str, bytes] = {}
    for name, operation in contract.operations.items():
        for part in _PARTS:
            schema = operation.request if part == "request" else operation.response
            fields = example(schema, f"{name}.{part}")
            body = json_body(operation, part, fields)
            if body is None:
                target = rest_target(operation, fields)
                files[f"{name}.{part}.txt"] = f"{operation.rest.method} {target}\n".encode()
            else:
                files[f"{name}.{part}.json"] = body
            files[f"{name}.{part}.xml"] = xml.document(xml_element(contract, name, part, fields))
    return files


def _object(schema: Schema, shape: Fields, where: str) -> dict[str, Any]:
    left_out = {name for choice in shape.choices for name in choice[1:]}
    return {
        member.name: _value(schema["properties"][member.name], member.shape, f"{where}.{member.name}")
        for member in shape.members
        if member.name not in left_out
    }


def _value(schema: Schema, shape: Shape, where: str) -> Any:
    if isinstance(shape, Fields):
        return _object(schema, shape, where)
    if isinstance(shape, Many):
        count = max(shape.least, 1) if shape.most is None else min(max(shape.least, 1), shape.most)
        return [_value(schema["items"], shape.item, f"{where}[]") for _ in range(count)]
    return schema["example"] if "example" in schema else _leaf(shape, where)


def _leaf(shape: Text, where: str) -> Any:
    if shape.enum:
        return shape.enum[0]
    if shape.kind == "integer":
        return max(shape.minimum or 0, min(12, 12 if shape.maximum is None else shape.maximum))
    if shape.kind == "base64":
        return b64encode(sha256(where.encode()).digest()[:_SALT_BYTES]).decode()
    if shape.kind != "string":
        return _BY_KIND[shape.kind]
    if shape.pattern is not None:
        raise ContractError(f"{where}: a field with a pattern needs an example; add example: ...")
    word = where.rpartition(".")[2]
    padded = word.ljust(shape.min_length or 0, "x")
    return padded if shape.max_length is None else padded[: shape.max_length]


def _write(element: etree._Element, fields: Mapping[str, Any], shape: Fields, namespace: str) -> None:
    for member in shape.members:
        if member.name in fields:
            _write_member(element, member, fields[member.name], namespace)


def _write_member(parent: etree._Element, member: Member, value: Any, namespace: str) -> None:
    if member.attribute:
        parent.set(member.tag, _lexical(value))
        return
    child = etree.SubElement(parent, f"{{{namespace}}}{member.tag}")
    if value is None:
        child.set(xml.clark("xsi:nil"), "true")
    else:
        _write_value(child, value, member.shape, namespace)


def _write_value(element: etree._Element, value: Any, shape: Shape, namespace: str) -> None:
    if isinstance(shape, Fields):
        _write(element, value, shape, namespace)
    elif isinstance(shape, Many):
        for item in value:
            _write_value(etree.SubElement(element, f"{{{namespace}}}{shape.item_name}"), item, shape.item, namespace)
    else:
        element.text = _lexical(value)


def _lexical(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
