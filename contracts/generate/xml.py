"""XML written by prefix and name, the same bytes each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACES: Final = {
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xml": "http://www.w3.org/XML/1998/namespace",
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsam": "http://www.w3.org/2007/05/addressing/metadata",
    "wsp": "http://www.w3.org/ns/ws-policy",
    "sp": "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "env": "http://schemas.xmlsoap.org/soap/envelope/",
}


def clark(name: str) -> str:
    """``xs:element`` as lxml names it; a name without prefix as it is."""
    prefix, _, local = name.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if prefix else local


def _clark_all(attributes: Mapping[str, str]) -> dict[str, str]:
    return {clark(word): value for word, value in attributes.items()}


def root(
    name: str, prefixes: tuple[str, ...], attributes: Mapping[str, str], own: Mapping[str, str] | None = None
) -> etree._Element:
    """A document's root, with the prefixes that it declares: those of NAMESPACES, and its own."""
    nsmap = {prefix: NAMESPACES[prefix] for prefix in prefixes}
    return etree.Element(clark(name), _clark_all(attributes), nsmap | dict(own or {}))


def unprefixed(local: str, namespace: str) -> etree._Element:
    """A document's root in a namespace that is its default."""
    nsmap: Any = {None: namespace}  # lxml's way to say it; its stubs know text keys only
    return etree.Element(f"{{{namespace}}}{local}", nsmap=nsmap)


def add(
    parent: etree._Element, name: str, attributes: Mapping[str, str] | None = None, text: str | None = None
) -> etree._Element:
    """A child, its attributes in the order given."""
    child = etree.SubElement(parent, clark(name), _clark_all(attributes or {}))
    child.text = text
    return child


def fragment(element: etree._Element) -> str:
    """The element as text, indented, without a declaration."""
    etree.indent(element)
    return etree.tostring(element, encoding="unicode")


def document(element: etree._Element) -> bytes:
    """The document's bytes: indented, UTF-8, a last newline."""
    etree.indent(element)
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True) + b"\n"
