"""SignedInfo, read strictly: what a signature says that it covers, and by which algorithms.

Everything outside the allow-list is refused (S4): exclusive C14N without comments and SHA-256, references by
wsu:Id into the same document, no parameter of a method, no further element. It is kept in evidence for years, byte for
byte, so there is no room in it for words of its signer's own either (L1).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from lxml import etree

from gateway.signing import soap_names as n
from gateway.signing.soap_written import read_references
from gateway.signing.xml import XmlLimits, XmlRefusedError, canonical, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMITS = XmlLimits(size=64 * 1024, depth=8, elements=500)
#: Far from the limits above, however each of them is written.
_MOST_AT_HAND = 64
_SPACE = re.compile(r"[ \t\r\n]+")
_REFERENCE_CHILDREN = [n.TRANSFORMS, n.DIGEST_METHOD, n.DIGEST_VALUE]


@dataclass(frozen=True, slots=True)
class Reference:
    """One ds:Reference: the wsu:Id it names, its digest, its InclusiveNamespaces prefixes."""

    target: str
    digest: bytes = field(repr=False)
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedInfo:
    """What was signed: its canonical bytes, the method's URI, and the references by the wsu:Id that they name."""

    data: bytes = field(repr=False)
    method: str
    references: dict[str, Reference]


def read_signed_info(data: bytes) -> SignedInfo:
    """SignedInfo out of its canonical bytes, which are what the signature is over.

    Raises SoapSignatureError with reason ``signed_info_malformed``, ``signed_info_not_canonical``,
    ``algorithm_refused``, ``transform_refused``, ``reference_refused`` or ``reference_repeated``.
    """
    return _plain_info(data) or parse_signed_info(data)


def _plain_info(data: bytes) -> SignedInfo | None:
    """The same without a parser, for the form that most are in; None for every other."""
    plain = read_references(data)
    if plain is None:
        return None
    return SignedInfo(data, plain.method, {name: Reference(name, value, ()) for name, value in plain.digests.items()})


def parse_signed_info(data: bytes) -> SignedInfo:
    """The same by a parser, whoever wrote it."""
    root = read_block(data)
    children = _children(root)
    if canonical_form(root, _prefixes(children[0])) != data:
        raise n.SoapSignatureError("signed_info_not_canonical")
    return _read(root, data, children)


def signed_info_at_hand(element: etree._Element) -> SignedInfo:
    """The SignedInfo of a message that is being verified; refusals as above.

    Read from the very node whose canonical bytes are signed: the parser has refused whatever these bytes would leave
    out. Where a list of prefixes makes them depend on what is around the node, or they may be beyond the limits for
    evidence, the bytes themselves are read, as they are when they come out of it.
    """
    data = signed_info_form(element)
    if len(element[0]) or len(element) > _MOST_AT_HAND or len(data) > _LIMITS.size:
        return read_signed_info(data)
    return _plain_info(data) or _read(element, data, _children(element))


def _children(root: etree._Element) -> list[etree._Element]:
    children = list(root)
    if root.tag != n.SIGNED_INFO or [child.tag for child in children[:2]] != [n.C14N_METHOD, n.SIGNATURE_METHOD]:
        raise n.SoapSignatureError("signed_info_malformed")
    return children


def _read(root: etree._Element, data: bytes, children: list[etree._Element]) -> SignedInfo:
    # A child here is HMACOutputLength or a parameter: both are ways to weaken the method, which the key decides.
    if len(children[1]):
        raise n.SoapSignatureError("algorithm_refused")
    references: dict[str, Reference] = {}
    for child in children[2:]:
        reference = _reference(child)
        if reference.target in references:
            raise n.SoapSignatureError("reference_repeated")
        references[reference.target] = reference
    _check_no_words(root, len(references))
    return SignedInfo(data, children[1].get("Algorithm", ""), references)


def _check_no_words(root: etree._Element, references: int) -> None:
    """Words between elements, or an attribute of its signer's own: nothing of these changes what is signed."""
    # Those that there must be are asked for one by one: of a method its Algorithm, of a reference its URI.
    if not _wordless()(root, attributes=2 + 3 * references):
        raise n.SoapSignatureError("signed_info_malformed")


@lru_cache(maxsize=1)
def _wordless() -> etree.XPath:
    """Whether there is no text but digests, and so many attributes beside those of lists of prefixes."""
    return etree.XPath(
        "not(descendant::text()[not(parent::ds:DigestValue)][normalize-space()])"
        " and count(descendant-or-self::*[not(self::ec:InclusiveNamespaces)]/@*) = $attributes",
        namespaces={"ds": n.DS, "ec": n.EXCLUSIVE_C14N},
    )


def signed_info_form(element: etree._Element) -> bytes:
    """The canonical bytes of a SignedInfo as its own CanonicalizationMethod asks for; refusals as above."""
    if not len(element) or element[0].tag != n.C14N_METHOD:
        raise n.SoapSignatureError("signed_info_malformed")
    return canonical_form(element, _prefixes(element[0]))


def read_block(data: bytes) -> etree._Element:
    """The element of kept canonical bytes; raises SoapSignatureError with the parser's stable reason."""
    try:
        return parse(data, _LIMITS)
    except XmlRefusedError as refused:
        raise n.SoapSignatureError(refused.reason) from None


def canonical_form(node: etree._Element, prefixes: Sequence[str] = ()) -> bytes:
    """``canonical``, its refusal told as a SoapSignatureError."""
    try:
        return canonical(node, prefixes)
    except XmlRefusedError as refused:
        raise n.SoapSignatureError(refused.reason) from None


def _reference(element: etree._Element) -> Reference:
    uri, children = element.get("URI", ""), list(element)
    if element.tag != n.REFERENCE or [child.tag for child in children] != _REFERENCE_CHILDREN:
        raise n.SoapSignatureError("reference_refused")
    # Neither the whole document (""), nor XPointer, nor another document: one node, by its Id.
    if not uri.startswith("#") or "(" in uri or len(uri) == 1 or element.keys() != ["URI"]:
        raise n.SoapSignatureError("reference_refused")
    transforms, method, value = children
    if len(transforms) != 1 or transforms[0].tag != n.TRANSFORM:
        raise n.SoapSignatureError("transform_refused")
    if len(method) or method.get("Algorithm") != n.SHA256:
        raise n.SoapSignatureError("algorithm_refused")
    return Reference(uri[1:], decode(value), _prefixes(transforms[0]))


def _prefixes(method: etree._Element) -> tuple[str, ...]:
    """The PrefixList of an exclusive canonicalisation; empty without one."""
    if method.get("Algorithm") != n.EXCLUSIVE_C14N:
        raise n.SoapSignatureError("transform_refused")
    if not len(method):
        return ()
    inside = [(child.tag, child.keys(), len(child)) for child in method]
    if inside != [(n.INCLUSIVE_NAMESPACES, ["PrefixList"], 0)]:
        raise n.SoapSignatureError("transform_refused")
    return tuple(method[0].get("PrefixList", "").split())


def decode(element: etree._Element) -> bytes:
    """The bytes of a base64 element: one form only, white space apart, which XML Signature writers add."""
    return decode_text(element.text if not len(element) else None)


def decode_text(text: str | None) -> bytes:
    """The same for an attribute; raises SoapSignatureError (``base64_malformed``)."""
    plain = _SPACE.sub("", text or "")
    try:
        decoded = binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, ValueError):
        raise n.SoapSignatureError("base64_malformed") from None
    # Python takes AB== for AA==.
    if not decoded or binascii.b2a_base64(decoded, newline=False).decode() != plain:
        raise n.SoapSignatureError("base64_malformed")
    return decoded
