"""JSON to canonical to XML and back, for any shape and any message: nothing lost, and both forms judge alike (C3)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from contracts.generate.xsd import xsd
from gateway.errors import Refusal
from gateway.signing.xml import XmlRefusedError, parse
from gateway.translation.operations import compile_operation
from gateway.translation.xml_error import XmlFormError
from tests.translation.asked import RICH, asked_by_rest, asked_by_soap, granted, translation
from tests.translation.shapes import contracts, messages, shape

if TYPE_CHECKING:
    from contracts.loader import Contract
    from gateway.translation.operations import CompiledOperation

RICH_SHAPE = shape(RICH)
COMPILED = compile_operation(RICH, "rich.ask")
BY_BOTH = translation([RICH])
#: The NIREC is no matter here, nor how long hypothesis looks for an example.
_FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@lru_cache(maxsize=1)
def rich_schema() -> etree.XMLSchema:
    return etree.XMLSchema(parse(xsd(RICH)))


def written(compiled: CompiledOperation, message: dict[str, Any]) -> bytes:
    return etree.tostring(compiled.request.xml.write(message), encoding="utf-8")


@_FEW
@given(data=st.data(), contract=contracts())
def test_any_message_of_any_shape_goes_through_both_forms(data: st.DataObject, contract: Contract) -> None:
    message = data.draw(messages(shape(contract)))
    compiled = compile_operation(contract, "rich.ask")
    both = translation([contract])
    schema = etree.XMLSchema(parse(xsd(contract)))
    by_rest = both.translate_in(asked_by_rest(json.dumps(message).encode(), target="/v1/rich"))
    payload = written(compiled, dict(by_rest.fields))
    by_soap = both.translate_in(asked_by_soap(payload.decode(), contract, "rich.ask"))
    assert by_rest.fields == by_soap.fields == message
    schema.assertValid(parse(payload))
    answers = [both.translate_out(granted(item), dict(item.fields)) for item in (by_rest, by_soap)]
    assert json.loads(answers[0]) == message
    schema.assertValid(parse(answers[1]))
    assert compiled.answer.xml.read(parse(answers[1])) == message


@_MANY
@given(message=messages(RICH_SHAPE), pretty=st.booleans())
def test_the_same_message_however_it_is_laid_out(message: dict[str, Any], pretty: bool) -> None:  # noqa: FBT001  a column
    element = COMPILED.request.xml.write(message)
    if pretty:
        _indented(element)
    assert COMPILED.request.xml.read(parse(etree.tostring(element, encoding="utf-8"))) == message
    rich_schema().assertValid(parse(etree.tostring(element, encoding="utf-8")))


def _indented(element: etree._Element) -> None:
    """White space where elements stand between elements; a text is left as it is, an empty list or null too."""
    if len(element):
        element.text = "\n  "
    for child in element:
        child.tail = "\n\t"
        _indented(child)


def judged(payload: bytes) -> dict[str, Any] | None:
    """What the gateway reads; None for what it refuses, and then by a name that the contract has."""
    try:
        return dict(BY_BOTH.translate_in(asked_by_soap(payload.decode(), RICH, "rich.ask")).fields)
    except Refusal as refusal:
        assert names(str(refusal.component)) <= NAMES  # noqa: PT017  either outcome is right
        return None


def names(component: str) -> set[str]:
    return {name for name in component.split(".") if not name.isdigit()}


NAMES = {"None", "Body", "RichAskRequest", "unknown field"} | {
    member.name for member in RICH_SHAPE.members
} | {"name", "since", "open", "deep"}  # fmt: skip
_TAGS = [member.tag for member in RICH_SHAPE.members] + ["place", "name", "item", "other", "RichAskRequest"]
_TEXTS = [
    "",
    " ",
    "a",
    "1",
    "-0",
    "+1.50",
    "true",
    "0",
    "2024-02-29",
    "2026-11-23T09:00:00Z",
    "AAA=",
    "\u00a0",
    "x" * 30,
]


@st.composite
def edited(draw: Any) -> bytes:
    """A right message with something in it changed: a text, tag or attribute, an element moved, dropped, repeated."""
    root = COMPILED.request.xml.write(draw(messages(RICH_SHAPE)))
    for _ in range(draw(st.integers(1, 2))):
        nodes = list(root.iter())
        node = nodes[draw(st.integers(0, len(nodes) - 1))]
        edit = draw(st.sampled_from(["text", "tail", "tag", "set", "nil", "drop", "twice", "move", "attribute"]))
        if edit == "text":
            node.text = draw(st.sampled_from(_TEXTS))
        elif edit == "tail" and node is not root:
            node.tail = draw(st.sampled_from(_TEXTS))
        elif edit == "tag":
            space = draw(st.sampled_from(["{urn:passerelle:rich:v1}", "{urn:x}", ""]))
            node.tag = space + draw(st.sampled_from(_TAGS))
        elif edit == "set":
            node.set(draw(st.sampled_from(["code", "Rank", "open", "id"])), draw(st.sampled_from(_TEXTS)))
        elif edit == "nil":
            name = draw(st.sampled_from(["nil", "type"]))
            node.set(f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}", draw(st.sampled_from(["true", "1", "x"])))
        elif edit == "attribute" and node.keys():
            del node.attrib[node.keys()[0]]
        elif node is not root:
            _moved(draw, node, edit)
    return etree.tostring(root, encoding="utf-8")


def _moved(draw: Any, node: etree._Element, edit: str) -> None:
    parent = node.getparent()
    assert parent is not None
    if edit == "twice":
        parent.append(parse(etree.tostring(node, with_tail=False)))
    elif edit == "move":
        parent.insert(draw(st.integers(0, len(parent))), node)
    elif edit == "drop":
        parent.remove(node)


@_MANY
@given(edited())
def test_what_we_read_the_published_schema_takes_too(payload: bytes) -> None:
    found = judged(payload)
    if found is None:
        return
    rich_schema().assertValid(parse(payload))
    by_rest = BY_BOTH.translate_in(asked_by_rest(json.dumps(found).encode(), target="/v1/rich"))
    assert by_rest.fields == found
    assert COMPILED.request.xml.read(COMPILED.request.xml.write(found)) == found


@_MANY
@given(edited(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), st.binary(max_size=3)), max_size=3))
def test_any_bytes_are_an_error_of_ours_or_a_message(payload: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, cut, new in edits:
        place = at % len(payload)
        payload = payload[:place] + new + payload[place + cut :] or b"<x/>"
    try:
        root = parse(payload)
    except XmlRefusedError:
        return
    try:
        fields = COMPILED.request.xml.read(root)
    except XmlFormError as error:
        assert names(error.component) <= NAMES | {""}  # noqa: PT017  either outcome is right
        return
    assert COMPILED.request.xml.read(COMPILED.request.xml.write(fields)) == fields
