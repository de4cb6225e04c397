"""An element read into canonical fields: functions made once from a shape, none of which looks at the shape again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.shape import Fields, Many, Text
from gateway.translation.lexical import SPACE, reader_of
from gateway.translation.xml_error import UNKNOWN, LexicalError, XmlFormError
from gateway.translation.xml_present import NIL, presence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from contracts.shape import Member, Shape

    Reader = Callable[[_Element], Any]

_TRUE = ("true", "1")


def fields_reader(shape: Fields, namespace: str) -> Callable[[_Element], dict[str, Any]]:
    """Reads an object's children and attributes, each at most once, in declared order; raises XmlFormError."""
    below = {
        f"{{{namespace}}}{member.tag}": (index, member.name, _member_reader(member, namespace))
        for index, member in enumerate(shape.members)
        if not member.attribute
    }
    read_attributes = _attributes_reader(shape)
    check_present = presence_of(shape)

    def fields(element: _Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if element.keys():
            read_attributes(element, found)
        _check_space(element.text)
        last = -1
        for child in element:
            place = below.get(child.tag)
            if place is None:
                raise XmlFormError(UNKNOWN)
            index, name, read = place
            if index <= last:  # there already, or after what it must precede
                raise XmlFormError(name)
            last = index
            try:
                found[name] = read(child)
            except XmlFormError as error:
                raise error.below(name) from None
            _check_space(child.tail)
        check_present(found)
        return found

    return fields


def _attributes_reader(shape: Fields) -> Callable[[_Element, dict[str, Any]], None]:
    """Reads attributes into the fields; ``xsi:type`` and all others that are not declared are refused."""
    known = {
        member.tag: (member.name, reader_of(member.shape))
        for member in shape.members
        if member.attribute and isinstance(member.shape, Text)
    }

    def attributes(element: _Element, found: dict[str, Any]) -> None:
        for tag in element.keys():  # noqa: SIM118  an element's items are its children
            if tag not in known:
                raise XmlFormError(UNKNOWN)
            name, read = known[tag]
            try:
                found[name] = read(element.get(tag, ""))
            except LexicalError:
                raise XmlFormError(name) from None

    return attributes


def _member_reader(member: Member, namespace: str) -> Reader:
    read = _reader(member.shape, namespace)
    return _nullable_reader(read) if member.nullable else read


def _reader(shape: Shape, namespace: str) -> Reader:
    if isinstance(shape, Text):
        return _leaf_reader(shape)
    return _many_reader(shape, namespace) if isinstance(shape, Many) else fields_reader(shape, namespace)


def _leaf_reader(text: Text) -> Reader:
    read = reader_of(text)

    def leaf(element: _Element) -> Any:
        # A comment in it is a child too: it would split the text.
        if len(element) or element.keys():
            raise XmlFormError
        try:
            return read(element.text or "")
        except LexicalError:
            raise XmlFormError from None

    return leaf


def _nullable_reader(read: Reader) -> Reader:
    def nullable(element: _Element) -> Any:
        nil = element.get(NIL)
        if nil is None:
            return read(element)
        # Said and not meant (false) has no use; said and not empty has two meanings.
        if nil.strip(SPACE) not in _TRUE or len(element.keys()) > 1 or len(element) or element.text:
            raise XmlFormError
        return None

    return nullable


def _many_reader(many: Many, namespace: str) -> Reader:
    tag = f"{{{namespace}}}{many.item_name}"
    read = _reader(many.item, namespace)

    def items(element: _Element) -> list[Any]:
        if element.keys():
            raise XmlFormError
        _check_space(element.text)
        found: list[Any] = []
        for child in element:
            if child.tag != tag:
                raise XmlFormError(UNKNOWN)
            try:
                found.append(read(child))
            except XmlFormError as error:
                raise error.below(str(len(found))) from None
            _check_space(child.tail)
        return found

    return items


def _check_space(text: str | None) -> None:
    """Between children there is white space, or nothing."""
    if text and text.strip(SPACE):
        raise XmlFormError
