"""A WSDL as its owner published it: what zeep understands of an operation, taken over once, and its XSD.

Taken are SOAP 1.1, document/literal, and what a tree of named places can say; whatever else a mapping touches is
refused when it loads. On the way of a message nothing of zeep is used any more: its objects cost more than the
signatures.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zeep
import zeep.exceptions
from lxml import etree
from zeep.wsdl.bindings import Soap11Binding
from zeep.xsd.elements import Any as Wildcard
from zeep.xsd.elements import Choice, Element
from zeep.xsd.types.simple import AnySimpleType

from adapters.mapping.declared import Declared
from contracts.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_TYPES = "{http://schemas.xmlsoap.org/wsdl/}types"
#: What zeep calls the text of an element that has attributes besides.
_TEXT = "_value_1"


@dataclass(frozen=True, slots=True)
class WsdlOperation:
    """One operation: its soapAction, and the one element of each Body."""

    action: str
    request: Declared
    answer: Declared


class WsdlDocument:
    """A WSDL on disk, with the schemas that it imports from beside it; nothing is ever fetched."""

    def __init__(self, path: Path) -> None:
        """Raises ContractError for a document that cannot be used."""
        try:
            client = zeep.Client(  # type: ignore[no-untyped-call]  # zeep publishes no types
                str(path), transport=_local(), settings=zeep.Settings(forbid_dtd=True, forbid_external=True)
            )
            self._binding = _soap11(client.wsdl)
            self._schema = _schema(path)
        except (OSError, etree.Error, zeep.exceptions.Error, ValueError) as error:
            raise ContractError(
                f"{path.name}: {error}; put every file that it names beside it", ("document",)
            ) from None
        self._lock = threading.Lock()

    def operation(self, name: str) -> WsdlOperation:
        """The operation of this name; raises ContractError."""
        known = self._binding.all()
        if name not in known:
            raise ContractError(f"the document has no operation {name}; it has: {', '.join(sorted(known))}")
        found = known[name]
        literal = (getattr(found, "style", ""), getattr(found.input, "use", "literal")) == ("document", "literal")
        if not literal or found.input.body is None or found.output is None or found.output.body is None:
            raise ContractError(f"{name} is not document/literal with one element each way; ask for another binding")
        return WsdlOperation(found.soapaction, _declared(found.input.body, ()), _declared(found.output.body, ()))

    def is_valid(self, payload: etree._Element) -> bool:
        """Whether the element is valid under their XSD."""
        # One validator is not safe in two threads at a time.
        with self._lock:
            return bool(self._schema.validate(payload))


class _FromDisk(zeep.Transport):
    def load(self, url: str) -> bytes:
        if "://" in url:
            raise ValueError(f"it asks for {url}, which is elsewhere")
        return bytes(super().load(url))  # type: ignore[no-untyped-call]  # the same


def _local() -> _FromDisk:
    return _FromDisk()  # type: ignore[no-untyped-call]  # the same


def _soap11(wsdl: Any) -> Any:
    bindings = [one for one in wsdl.bindings.values() if type(one) is Soap11Binding]
    if len(bindings) != 1:
        raise ContractError(f"the document has {len(bindings)} SOAP 1.1 bindings; one is needed", ("document",))
    return bindings[0]


def _schema(path: Path) -> etree.XMLSchema:
    """Every schema of the document as one, assembled from files by libxml2."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    types = etree.parse(path, parser).getroot().find(_TYPES)
    schemas = [] if types is None else types.findall(f"{_XSD}schema")
    assembled = etree.Element(f"{_XSD}schema")
    for schema in schemas:
        for reference in schema.iter(f"{_XSD}import", f"{_XSD}include"):
            if "://" in (location := reference.get("schemaLocation", "")):
                raise ValueError(f"it asks for {location}, which is elsewhere")
    if len(schemas) == 1:
        assembled = schemas[0]
    elif any(schema.get("targetNamespace") for schema in schemas):
        raise ValueError("it has several schemas inside; put each into a file of its own, and import it")
    else:
        assembled.extend([child for schema in schemas for child in schema])
    tree = etree.ElementTree(assembled)
    tree.docinfo.URL = str(path)
    return etree.XMLSchema(tree)


def _declared(element: Any, above: tuple[Any, ...], *, required: bool = True, many: bool = False) -> Declared:
    """The place of an element; of a type within itself nothing below it is told, so that no mapping reaches there."""
    kind = element.type
    below = isinstance(kind, AnySimpleType) or kind in above
    parts = () if below else tuple(_children(kind, (*above, kind)))
    texts = [one for one in parts if one.name == _TEXT]
    children = tuple(one for one in parts if one.name != _TEXT)
    return Declared(
        name=element.qname.text,
        required=required and element.min_occurs > 0,
        many=many or element.accepts_multiple,
        nullable=bool(element.nillable),
        leaf=isinstance(kind, AnySimpleType) or bool(texts),
        children=children,
        needed=frozenset() if below else frozenset(_needed(kind)),
    )


def _children(kind: Any, above: tuple[Any, ...]) -> Iterator[Declared]:
    for _, attribute in kind.attributes:
        if attribute.qname is not None:
            yield Declared(f"@{attribute.qname.text}", required=bool(attribute.required), leaf=True)
    for _, item in kind.elements_nested:
        yield from _places(item, above, required=True, many=False, choice=None)


def _places(
    item: Any, above: tuple[Any, ...], *, required: bool, many: bool, choice: tuple[int, int] | None
) -> Iterator[Declared]:
    """The places of an element, or of all that a group of elements holds."""
    if isinstance(item, Wildcard):
        if required and item.min_occurs > 0:
            raise ContractError("their message must hold any element at all, which nothing here can say")
        return
    if isinstance(item, Element):
        if item.name == _TEXT:
            yield Declared(_TEXT, required=True, leaf=True)
            return
        made = _declared(item, above, required=required, many=many)
        yield made if choice is None else _in_choice(made, choice)
        return
    required = required and item.min_occurs > 0
    many = many or item.accepts_multiple
    for number, part in enumerate(item):
        inside = (id(item), number) if isinstance(item, Choice) else choice
        yield from _places(part, above, required=required and inside is choice, many=many, choice=inside)


def _in_choice(one: Declared, choice: tuple[int, int]) -> Declared:
    return Declared(
        one.name, required=False, many=one.many, nullable=one.nullable, leaf=one.leaf, children=one.children,
        choice=choice, needed=one.needed,
    )  # fmt: skip


def _needed(kind: Any) -> Iterator[int]:
    """The choices right below, of which one branch must be there."""
    for _, item in kind.elements_nested:
        yield from _needed_in(item)


def _needed_in(item: Any) -> Iterator[int]:
    if isinstance(item, Element | Wildcard) or item.min_occurs == 0:
        return
    if isinstance(item, Choice):
        yield id(item)
        return
    for part in item:
        yield from _needed_in(part)
