"""The schema of what every SOAP message with us has beside its own content: our header blocks and a Fault's detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.generate import xml
from contracts.names import EXCHANGE_NAMESPACE

if TYPE_CHECKING:
    from lxml.etree import _Element

_WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HASH = "[A-Za-z0-9+/]{43}="
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
#: Header blocks by local name, with the pattern of their text: what a request signs, what an answer signs.
REQUEST_BLOCKS: Final = {"Exchange-Agreement": _WORD, "Exchange-Purpose": _WORD}
#: What a request of an operation with an effect signs too; any other may.
KEY_BLOCKS: Final = {"Idempotency-Key": _UUID}
ANSWER_BLOCKS: Final = {"Exchange-Id": _UUID, "Ledger-Leaf": _HASH, "Ledger-By": _TIME}
#: The one entry of a Fault's detail: the words of problem+json, title and detail once in each language.
PROBLEM: Final = "Problem"
_ONCE = {"code": "[a-z_]+", "exchange_id": _UUID}
_IN_EACH_LANGUAGE = ("title", "detail")
_PERHAPS = ("component", "reason", "retry_after")


def exchange_schema() -> _Element:
    """``xs:schema`` of the exchange's namespace."""
    attributes = {"targetNamespace": EXCHANGE_NAMESPACE, "elementFormDefault": "qualified"}
    schema = xml.root("xs:schema", ("xs",), attributes, {"x": EXCHANGE_NAMESPACE})
    for name, pattern in (REQUEST_BLOCKS | KEY_BLOCKS | ANSWER_BLOCKS).items():
        _header_block(schema, name, pattern)
    sequence = xml.add(xml.add(xml.add(schema, "xs:element", {"name": PROBLEM}), "xs:complexType"), "xs:sequence")
    for name, pattern in _ONCE.items():
        _restricted(xml.add(sequence, "xs:element", {"name": name}), pattern)
    for name in _IN_EACH_LANGUAGE:
        _in_language(xml.add(sequence, "xs:element", {"name": name, "minOccurs": "2", "maxOccurs": "2"}))
    for name in _PERHAPS:
        xml.add(sequence, "xs:element", {"name": name, "type": "xs:string", "minOccurs": "0"})
    return schema


def _restricted(parent: _Element, pattern: str) -> None:
    restriction = xml.add(xml.add(parent, "xs:simpleType"), "xs:restriction", {"base": "xs:string"})
    xml.add(restriction, "xs:pattern", {"value": pattern})


def _header_block(schema: _Element, name: str, pattern: str) -> None:
    """Text of one form; the signature's wsu:Id and SOAP's own attributes may stand on it."""
    text = f"{name}-Text"
    _restricted_type(schema, text, pattern)
    content = xml.add(xml.add(xml.add(schema, "xs:element", {"name": name}), "xs:complexType"), "xs:simpleContent")
    extension = xml.add(content, "xs:extension", {"base": f"x:{text}"})
    xml.add(extension, "xs:anyAttribute", {"namespace": "##other", "processContents": "lax"})


def _restricted_type(schema: _Element, name: str, pattern: str) -> None:
    restriction = xml.add(xml.add(schema, "xs:simpleType", {"name": name}), "xs:restriction", {"base": "xs:string"})
    xml.add(restriction, "xs:pattern", {"value": pattern})


def _in_language(parent: _Element) -> None:
    content = xml.add(xml.add(parent, "xs:complexType"), "xs:simpleContent")
    extension = xml.add(content, "xs:extension", {"base": "xs:string"})
    # xml:lang, without the import of its schema, which tools would fetch from elsewhere.
    xml.add(extension, "xs:anyAttribute", {"namespace": xml.NAMESPACES["xml"], "processContents": "lax"})
