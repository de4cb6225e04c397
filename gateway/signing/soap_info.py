"""SignedInfo, read strictly: what a signature says that it covers, and by which algorithms.

Everything outside the allow-list is refused (S4): exclusive C14N without comments and SHA-256, references by
wsu:Id into the same document, no parameter of a method, no further element.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.signing import soap_names as n
from gateway.signing.xml import XmlLimits, XmlRefusedError, canonical, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml import etree

_LIMITS = XmlLimits(size=64 * 1024, depth=8, elements=500)
_NO_SPACE = str.maketrans("", "", " \t\r\n")


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
    root = read_block(data)
    children = list(root)
    if root.tag != n.SIGNED_INFO or [child.tag for child in children[:2]] != [n.C14N_METHOD, n.SIGNATURE_METHOD]:
        raise n.SoapSignatureError("signed_info_malformed")
    if canonical_form(root, _prefixes(children[0])) != data:
        raise n.SoapSignatureError("signed_info_not_canonical")
    # A child here is HMACOutputLength or a parameter: both are ways to weaken the method, which the key decides.
    if len(children[1]):
        raise n.SoapSignatureError("algorithm_refused")
    references: dict[str, Reference] = {}
    for child in children[2:]:
        reference = _reference(child)
        if reference.target in references:
            raise n.SoapSignatureError("reference_repeated")
        references[reference.target] = reference
    return SignedInfo(data, children[1].get("Algorithm", ""), references)


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
    uri = element.get("URI", "")
    tags = [child.tag for child in element]
    if element.tag != n.REFERENCE or tags != [n.TRANSFORMS, n.DIGEST_METHOD, n.DIGEST_VALUE]:
        raise n.SoapSignatureError("reference_refused")
    # Neither the whole document (""), nor XPointer, nor another document: one node, by its Id.
    if not uri.startswith("#") or "(" in uri or len(uri) == 1 or set(element.attrib) - {"URI", "Id"}:
        raise n.SoapSignatureError("reference_refused")
    transforms, method, value = element
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
    if len(method) > 1 or method[0].tag != n.INCLUSIVE_NAMESPACES or len(method[0]):
        raise n.SoapSignatureError("transform_refused")
    return tuple(method[0].get("PrefixList", "").split())


def decode(element: etree._Element) -> bytes:
    """The bytes of a base64 element: one form only, white space apart, which XML Signature writers add."""
    return decode_text(element.text if not len(element) else None)


def decode_text(text: str | None) -> bytes:
    """The same for an attribute; raises SoapSignatureError (``base64_malformed``)."""
    plain = (text or "").translate(_NO_SPACE)
    try:
        decoded = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise n.SoapSignatureError("base64_malformed") from None
    # Python takes AB== for AA==.
    if not decoded or base64.b64encode(decoded).decode() != plain:
        raise n.SoapSignatureError("base64_malformed")
    return decoded
