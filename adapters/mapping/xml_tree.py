"""The two directions of XML: a filled plan as an element, and an element seen as places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from adapters.mapping.filling import Filled

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE = ("true", "1")


def element_of(filled: Filled) -> etree._Element:
    """The element; raises ValueError for a text that XML cannot hold."""
    namespace = etree.QName(filled.declared.name).namespace
    root = etree.Element(filled.declared.name, nsmap={"ns0": namespace} if namespace else None)
    _put(root, filled)
    return root


def _put(element: etree._Element, filled: Filled) -> None:
    if filled.nil:
        element.set(_NIL, "true")
    element.text = filled.text
    for part in filled.parts:
        if part.declared.name.startswith("@"):
            element.set(part.declared.name[1:], part.text or "")
        else:
            _put(etree.SubElement(element, part.declared.name), part)


class XmlView:
    """reading.View of elements; an attribute is its text."""

    def find(self, node: object, way: tuple[str, ...]) -> list[object]:
        """Every element, or the one attribute, at the end of this way."""
        found = [node]
        for name in way:
            found = [below for one in found if isinstance(one, etree._Element) for below in _below(one, name)]  # noqa: SLF001  lxml's only name for its class
        return found

    def null(self, node: object) -> bool:
        """Whether it is an element that is nil."""
        return isinstance(node, etree._Element) and node.get(_NIL, "").strip() in _TRUE  # noqa: SLF001  lxml's only name for it

    def text(self, node: object) -> str | None:
        """An attribute's or an element's text; None for nil."""
        if isinstance(node, str):
            return node
        if not isinstance(node, etree._Element) or self.null(node):  # noqa: SLF001  the same
            return None
        return node.text or ""


def _below(element: etree._Element, name: str) -> list[object]:
    if not name.startswith("@"):
        return list(element.findall(name))
    value = element.get(name[1:])
    return [] if value is None else [value]
