"""A signed SOAP message taken apart, before any key is asked: its places, its Ids, what its references name (S4).

What is handed on is the very node that the signature's reference names, found in its one legal place:
Body below Envelope, Timestamp and SignatureConfirmation below Security, other headers directly below Header.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.signing import soap_names as n
from gateway.signing.soap_facts import SignedPartFacts, check_read_part
from gateway.signing.soap_info import canonical_form, decode, signed_info_at_hand
from gateway.signing.soap_token import TokenReference, token_reference
from gateway.signing.xml import digest

if TYPE_CHECKING:
    from lxml import etree

    from gateway.signing.soap_info import SignedInfo

_IN_SECURITY = frozenset({n.TIMESTAMP, n.CONFIRMATION, n.TOKEN})
_SECURITY_CHILDREN = _IN_SECURITY | {n.SIGNATURE}
_ID_NAMES = frozenset({"id", "Id", "ID", "{http://www.w3.org/XML/1998/namespace}id", n.WSU_ID})
_ENCRYPTED = (f"{{{n.XENC}}}*", f"{{{n.XENC11}}}*")
_SIGNATURE_CHILDREN = [n.SIGNED_INFO, n.SIGNATURE_VALUE, n.KEY_INFO]


@dataclass(frozen=True, slots=True)
class OpenedSoap:
    """A message whose references name what they may name; no signature has been looked at yet.

    Attributes:
        soap: its version.
        header: the Header.
        payload: the one element below the Body.
        info: what was signed.
        signature: SignatureValue, decoded.
        blocks: the header blocks that the references name, by wsu:Id.
        headers: the canonical form of each.
        body_id: the wsu:Id of the Body.
        body: the canonical form of the Body.
        token: how the message names its certificate.
    """

    soap: n.Soap
    header: etree._Element = field(repr=False)
    payload: etree._Element = field(repr=False)
    info: SignedInfo
    signature: bytes = field(repr=False)
    blocks: dict[str, etree._Element] = field(repr=False)
    headers: dict[str, bytes] = field(repr=False)
    body_id: str
    body: bytes = field(repr=False)
    token: TokenReference


@dataclass(frozen=True, slots=True)
class _Shape:
    """The places of a message, each there once."""

    header: etree._Element
    body: etree._Element
    security: etree._Element
    signature: etree._Element


def open_soap(root: etree._Element, soap: n.Soap = n.SOAP_11) -> OpenedSoap:
    """The message in its parts; ``root`` comes from ``gateway.signing.xml.parse``.

    Raises SoapSignatureError with a reason of ``read_signed_info``, or ``envelope_shape``, ``security_shape``,
    ``header_repeated``, ``id_repeated``, ``encrypted``, ``token_refused``, ``reference_dangling``,
    ``reference_misplaced``, ``not_covered``, ``base64_malformed``.
    """
    # 1. one of each, where it belongs; every Id once
    shape = _shape(root, soap)
    nodes = _identified(root)
    # 2. what the references name, where they may name it
    info = signed_info_at_hand(shape.signature[0])
    signature = decode(shape.signature[1])
    token = token_reference(shape.security.find(n.TOKEN), shape.signature[2])
    blocks, body = _resolve(shape, nodes, info)
    return OpenedSoap(
        soap=soap,
        header=shape.header,
        payload=shape.body[0],
        info=info,
        signature=signature,
        blocks=blocks,
        headers={name: canonical_form(node, info.references[name].prefixes) for name, node in blocks.items()},
        body_id=shape.body.get(n.WSU_ID, ""),
        body=body,
        token=token,
    )


def proven(opened: OpenedSoap, certificate: bytes) -> SignedPartFacts:
    """What the message's signature covers, once it holds under this certificate (DER); whose that is, is not asked.

    Raises SoapSignatureError with a reason of ``check_read_part`` or ``digest_mismatch``.
    """
    facts = check_read_part(opened.info, opened.signature, opened.headers, certificate, opened.blocks)
    if facts.body_id != opened.body_id or facts.body_digest != digest(opened.body):
        raise n.SoapSignatureError("digest_mismatch")
    return facts


def _shape(root: etree._Element, soap: n.Soap) -> _Shape:
    if root.tag != soap.envelope or [child.tag for child in root] != [soap.header, soap.body] or len(root[1]) != 1:
        raise n.SoapSignatureError("envelope_shape")
    header, body = root
    tags = [child.tag for child in header]
    if len(set(tags)) != len(tags):
        raise n.SoapSignatureError("header_repeated")
    if next(root.iter(*_ENCRYPTED), None) is not None:
        raise n.SoapSignatureError("encrypted")
    # Counted over the whole document: a second one anywhere is somebody's wrapping.
    once = (n.SECURITY, n.SIGNATURE, n.SIGNED_INFO, n.TIMESTAMP, soap.header, soap.body, soap.envelope)
    counts = Counter(node.tag for node in root.iter(*once, n.TOKEN))
    if any(counts[tag] != 1 for tag in once) or counts[n.TOKEN] > 1:
        raise n.SoapSignatureError("security_shape")
    security = header.find(n.SECURITY)
    signature = None if security is None else security.find(n.SIGNATURE)
    if security is None or signature is None or [child.tag for child in signature] != _SIGNATURE_CHILDREN:
        raise n.SoapSignatureError("security_shape")
    if not _SECURITY_CHILDREN.issuperset(child.tag for child in security):
        raise n.SoapSignatureError("security_shape")
    return _Shape(header, body, security, signature)


def _identified(root: etree._Element) -> dict[str, etree._Element]:
    """Elements by wsu:Id; an Id of any spelling that occurs twice is refused."""
    seen: set[str] = set()
    nodes: dict[str, etree._Element] = {}
    for node in root.iter():
        for name in _ID_NAMES.intersection(node.keys()):
            identifier = node.get(name, "")
            if identifier in seen:
                raise n.SoapSignatureError("id_repeated")
            seen.add(identifier)
            if name == n.WSU_ID:
                nodes[identifier] = node
    return nodes


def _resolve(
    shape: _Shape, nodes: dict[str, etree._Element], info: SignedInfo
) -> tuple[dict[str, etree._Element], bytes]:
    """Header blocks by wsu:Id, and the canonical Body."""
    blocks: dict[str, etree._Element] = {}
    body: bytes | None = None
    for reference in info.references.values():
        node = nodes.get(reference.target)
        if node is None:
            raise n.SoapSignatureError("reference_dangling")
        if node is shape.body:
            body = canonical_form(node, reference.prefixes)
            continue
        place = shape.security if node.tag in _IN_SECURITY else shape.header
        if node.getparent() is not place or node is shape.security:
            raise n.SoapSignatureError("reference_misplaced")
        blocks[reference.target] = node
    if body is None:
        raise n.SoapSignatureError("not_covered")
    return blocks, body
