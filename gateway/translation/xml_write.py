"""Canonical fields written into an element: functions made once from a shape; the inverse of ``xml_read``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lxml.etree import SubElement

from contracts.shape import Fields, Many, Text
from gateway.translation.lexical import lexical
from gateway.translation.xml_error import UNKNOWN, LexicalError, XmlFormError
from gateway.translation.xml_present import NIL, XSI, presence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from contracts.shape import Member, Shape

    #: Puts a value into an element that is there, or below it.
    Writer = Callable[[_Element, Any], None]

_XSI_PREFIX = {"xsi": XSI}


def fields_writer(shape: Fields, namespace: str) -> Writer:
    """Writes an object's fields into its element, in declared order; raises XmlFormError."""
    steps = [(member.name, _member_writer(member, namespace)) for member in shape.members]
    check_present = presence_of(shape)

    def fill(element: _Element, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise XmlFormError
        check_present(value)
        written = 0
        for name, write in steps:
            if name not in value:
                continue
            try:
                write(element, value[name])
            except XmlFormError as error:
                raise error.below(name) from None
            written += 1
        if written != len(value):
            raise XmlFormError(UNKNOWN)

    return fill


def _member_writer(member: Member, namespace: str) -> Writer:
    if member.attribute:
        return _attribute_writer(member.tag)
    tag = f"{{{namespace}}}{member.tag}"
    write = _writer(member.shape, tag, namespace)
    return _nullable_writer(tag, write) if member.nullable else write


def _writer(shape: Shape, tag: str, namespace: str) -> Writer:
    if isinstance(shape, Text):
        return _leaf_writer(tag)
    fill = _items_writer(shape, namespace) if isinstance(shape, Many) else fields_writer(shape, namespace)

    def write(parent: _Element, value: Any) -> None:
        fill(SubElement(parent, tag), value)

    return write


def _leaf_writer(tag: str) -> Writer:
    def write(parent: _Element, value: Any) -> None:
        try:
            SubElement(parent, tag).text = lexical(value)
        except (LexicalError, ValueError):  # the latter: a character that XML cannot hold
            raise XmlFormError from None

    return write


def _attribute_writer(tag: str) -> Writer:
    def write(element: _Element, value: Any) -> None:
        try:
            element.set(tag, lexical(value))
        except (LexicalError, ValueError):
            raise XmlFormError from None

    return write


def _nullable_writer(tag: str, write: Writer) -> Writer:
    def write_or_nil(parent: _Element, value: Any) -> None:
        if value is None:
            SubElement(parent, tag, nsmap=_XSI_PREFIX).set(NIL, "true")
        else:
            write(parent, value)

    return write_or_nil


def _items_writer(many: Many, namespace: str) -> Writer:
    write = _writer(many.item, f"{{{namespace}}}{many.item_name}", namespace)

    def fill(element: _Element, value: Any) -> None:
        if not isinstance(value, list | tuple):
            raise XmlFormError
        for index, item in enumerate(value):
            try:
                write(element, item)
            except XmlFormError as error:
                raise error.below(str(index)) from None

    return fill
