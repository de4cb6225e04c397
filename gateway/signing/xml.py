"""The hardened XML parser and exclusive canonicalisation: the only way from bytes to elements, anywhere.

Refused: DTDs, entities, comments, processing instructions, XInclude, external schemas, encodings but UTF-8,
and what is too large, too deep or too wide (DESIGN, section 10).
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from lxml import etree

from gateway.errors import PasserelleError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECLARATION = re.compile(
    rb"<\?xml\s+version=[\"']1\.0[\"'](\s+encoding=[\"']utf-8[\"'])?(\s+standalone=[\"'](yes|no)[\"'])?\s*\?>",
    re.IGNORECASE,
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA_LOCATIONS = frozenset({f"{{{_INSTANCE}}}schemaLocation", f"{{{_INSTANCE}}}noNamespaceSchemaLocation"})


class XmlRefusedError(PasserelleError):
    """Bytes that are no XML that we read; ``reason`` is a stable word, never the parser's text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """How much XML is read: bytes, levels of elements, elements in all, attributes of one element."""

    size: int = 1024 * 1024
    depth: int = 32
    elements: int = 5000
    attributes: int = 16


DEFAULT_LIMITS = XmlLimits()


def parse(data: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> etree._Element:
    """The root element of a UTF-8 document.

    Raises XmlRefusedError with reason ``xml_too_large``, ``xml_encoding``, ``xml_dtd``, ``xml_malformed``,
    ``xml_comment``, ``xml_too_deep``, ``xml_too_wide``, ``xml_include`` or ``xml_external_schema``.
    """
    if len(data) > limits.size:
        raise XmlRefusedError("xml_too_large")
    _check_encoding(data)
    # Looked for before parsing, so that no entity is ever read; in a CDATA section it is no DTD, and goes too.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise XmlRefusedError("xml_dtd")
    try:
        root = etree.fromstring(data, _parser())  # noqa: TID251  the hardened parser that the ban points to
    except (etree.XMLSyntaxError, ValueError):
        raise XmlRefusedError("xml_malformed") from None
    if root.getprevious() is not None or root.getnext() is not None:
        raise XmlRefusedError("xml_comment")
    if _amiss(limits)(root):
        _check_shape(root, limits)
    return root


@lru_cache(maxsize=1)
def _parser() -> etree.XMLParser:
    """One for all threads: it is locked while it reads, and keeps nothing of what it read."""
    return etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, collect_ids=False)


def _check_encoding(data: bytes) -> None:
    declared = data.startswith(b"<?xml") and not _DECLARATION.match(data)
    if b"\x00" in data or data.startswith(_BYTE_ORDER_MARK) or declared:
        raise XmlRefusedError("xml_encoding")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlRefusedError("xml_encoding") from None


@lru_cache(maxsize=8)
def _amiss(limits: XmlLimits) -> etree.XPath:
    """Whether ``_check_shape`` finds anything: the answer for almost every message, at a third of its cost."""
    found = [
        "//comment()",
        "//processing-instruction()",
        "//include:*",
        "//@instance:schemaLocation",
        "//@instance:noNamespaceSchemaLocation",
        "/*" * (limits.depth + 1),
        f"//@*[{limits.attributes + 1}]",
    ]
    return etree.XPath(
        " or ".join([f"boolean({path})" for path in found]) + f" or count(//*) > {limits.elements}",
        namespaces={"include": _XINCLUDE, "instance": _INSTANCE},
    )


def _check_shape(root: etree._Element, limits: XmlLimits) -> None:
    nodes = list(islice(root.iter(), limits.elements + 1))
    # a document has no more levels than nodes
    if len(nodes) > limits.depth and _deeper_than(limits.depth)(root):
        raise XmlRefusedError("xml_too_deep")
    if len(nodes) > limits.elements:
        raise XmlRefusedError("xml_too_wide")
    for node in nodes:
        tag, names = node.tag, node.keys()
        # A comment splits text, and canonicalisation drops it: what is signed and what is read would differ.
        if not isinstance(tag, str):
            raise XmlRefusedError("xml_comment")
        if tag.startswith(f"{{{_XINCLUDE}}}"):
            raise XmlRefusedError("xml_include")
        if len(names) > limits.attributes:
            raise XmlRefusedError("xml_too_wide")
        # libxml2's validator would follow these (xmlSchemaAssembleByXSI).
        if not _SCHEMA_LOCATIONS.isdisjoint(names):
            raise XmlRefusedError("xml_external_schema")


@lru_cache(maxsize=8)
def _deeper_than(depth: int) -> etree.XPath:
    """Whether a tree has an element below so many levels."""
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


def canonical(node: etree._Element, prefixes: Sequence[str] = ()) -> bytes:
    """Exclusive canonical form, without comments, of one element (https://www.w3.org/TR/xml-exc-c14n/).

    ``prefixes`` is the InclusiveNamespaces PrefixList; their declarations are then made to stand on the element,
    because lxml canonicalises an element apart from its ancestors. Raises XmlRefusedError (``xml_not_canonical``)
    where there is no such form, as with relative namespace names.
    """
    if prefixes:
        alone = etree.Element(node.tag, nsmap=node.nsmap)  # type: ignore[arg-type]  # None is the default's prefix
        for name, value in node.attrib.items():
            alone.set(name, value)
        alone.text = node.text
        alone.extend([deepcopy(child) for child in node])
        node = alone
    try:
        return etree.tostring(
            node, method="c14n", exclusive=True, with_comments=False, with_tail=False,
            inclusive_ns_prefixes=list(prefixes) or None,
        )  # fmt: skip
    except etree.C14NError:
        raise XmlRefusedError("xml_not_canonical") from None


def digest(data: bytes) -> bytes:
    """SHA-256 of canonical bytes."""
    return sha256(data).digest()
