"""What zeep knows of an operation's payload, asked once: each call then only puts its values in.

Building zeep's objects costs more than signing what they hold. Only flat payloads are taken, where there is nothing to
decide: every element once, in the contract's order, each a simple value that zeep's own type writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree
from zeep.xsd.elements import Element
from zeep.xsd.types.simple import AnySimpleType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class PayloadTemplate:
    """The payload of one operation, byte for byte as zeep would render it."""

    def __init__(self, tag: str, parts: Sequence[tuple[str, str, Callable[[Any], str]]]) -> None:
        """``tag`` and those of ``parts`` are Clark names; a part has its parameter's name and its type's writer."""
        self._tag = tag
        self._prefixes = {"ns0": etree.QName(tag).namespace or ""}
        self._parts = tuple(parts)
        self._names = frozenset(name for name, _, _ in parts)

    def fill(self, values: Mapping[str, object]) -> etree._Element:
        """The payload with these values; raises ValueError for one too many, missing, or that XML cannot hold."""
        if values.keys() != self._names or None in values.values():
            raise ValueError("not the operation's parameters")
        payload = etree.Element(self._tag, nsmap=self._prefixes)
        for name, tag, written in self._parts:
            etree.SubElement(payload, tag).text = written(values[name])
        return payload


def template_of(client: Any, operation: str) -> PayloadTemplate | None:
    """The operation's payload as the client's WSDL has it; None where it is not flat, so that zeep must build it."""
    element = client.service._binding.get(operation).input.body  # noqa: SLF001  zeep shows its bindings nowhere else
    parts = [part for _, part in element.type.elements]
    if element.type.attributes or not all(_is_flat(part, element.qname.namespace) for part in parts):
        return None
    return PayloadTemplate(element.qname.text, [(part.name, part.qname.text, part.type.xmlvalue) for part in parts])


def _is_flat(part: Any, namespace: str) -> bool:
    return (
        type(part) is Element
        and isinstance(part.type, AnySimpleType)
        and (part.min_occurs, part.max_occurs) == (1, 1)
        and not part.nillable
        and part.default is None
        and part.qname.namespace == namespace
    )
