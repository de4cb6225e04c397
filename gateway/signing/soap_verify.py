"""Strict verification of a signed SOAP message, over its bytes (DESIGN S4, section 10).

What is handed on is the very node that the signature's reference names, found in its one legal place:
Body below Envelope, Timestamp and SignatureConfirmation below Security, other headers directly below Header.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.model import SignedPart
from gateway.signing import soap_names as n
from gateway.signing.soap_facts import SignedPartFacts, check_read_part
from gateway.signing.soap_info import canonical_form, decode, read_signed_info, signed_info_form
from gateway.signing.xml import DEFAULT_LIMITS, XmlLimits, XmlRefusedError, digest, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lxml import etree

    from gateway.model import CertificateProof
    from gateway.ports import Clock
    from gateway.signing.soap_info import SignedInfo

_SPAN = timedelta(minutes=5)
_SKEW = timedelta(seconds=30)
_IN_SECURITY = frozenset({n.TIMESTAMP, n.CONFIRMATION, n.TOKEN})
_ID_NAMES = frozenset({"id", "Id", "ID", "{http://www.w3.org/XML/1998/namespace}id", n.WSU_ID})
_ENCRYPTED = (f"{{{n.XENC}}}", f"{{{n.XENC11}}}")
_SIGNATURE_CHILDREN = [n.SIGNED_INFO, n.SIGNATURE_VALUE, n.KEY_INFO]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the message must be, besides sound; None where anything signed will do.

    Attributes:
        required: Clark names of the header blocks that must be signed (REQUEST_PARTS, ANSWER_PARTS).
        action: the Action.
        to: the To.
        relates_to: our request's MessageID.
        confirms: our request's signature value.
    """

    required: frozenset[str]
    action: str | None = None
    to: str | None = None
    relates_to: str | None = None
    confirms: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedSoap:
    """A message whose signature held: the one child of the Body that was verified, and what was signed with it."""

    body: etree._Element = field(repr=False)
    part: SignedPart
    facts: SignedPartFacts


@dataclass(frozen=True, slots=True)
class _Shape:
    """The places of a message, each there once."""

    root: etree._Element
    header: etree._Element
    body: etree._Element
    security: etree._Element
    signature: etree._Element


class SoapVerifier:
    """Verifies messages; ``vet`` says whether a certificate (DER) is the expected party's signing certificate.

    ``vet`` raises CertificateRefusedError or SoapSignatureError, and may keep its verdicts.
    """

    def __init__(
        self, vet: Callable[[bytes], CertificateProof], clock: Clock, limits: XmlLimits = DEFAULT_LIMITS
    ) -> None:
        self._vet = vet
        self._clock = clock
        self._limits = limits

    def verify(self, data: bytes, expected: Expected) -> VerifiedSoap:
        """The verified message.

        Raises:
            SoapSignatureError: with a reason of ``gateway.signing.xml.parse``, ``check_signed_part``, or
                ``envelope_shape``, ``security_shape``, ``header_repeated``, ``id_repeated``, ``encrypted``,
                ``token_refused``, ``reference_dangling``, ``reference_misplaced``, ``not_covered``,
                ``timestamp_stale``, ``action_differs``, ``to_differs``, ``relates_to_differs``,
                ``confirmation_differs``.
            CertificateRefusedError: from ``vet``.
        """
        try:
            root = parse(data, self._limits)
        except XmlRefusedError as refused:
            raise n.SoapSignatureError(refused.reason) from None
        # 1. one of each, where it belongs; every Id once
        shape = _shape(root)
        nodes = _identified(root)
        # 2. what the references name, where they may name it
        info = read_signed_info(signed_info_form(shape.signature[0]))
        value = decode(shape.signature[1])
        certificate = _certificate(shape)
        headers, body = _resolve(shape, nodes, info)
        # 3. what the key signed, then whose key it is
        facts = check_read_part(info, value, headers, certificate)
        if facts.body_id != shape.body.get(n.WSU_ID) or facts.body_digest != digest(body):
            raise n.SoapSignatureError("digest_mismatch")
        proof = self._vet(certificate)
        # 4. all that must be signed, now, and for us
        if not expected.required <= facts.parts:
            raise n.SoapSignatureError("not_covered")
        _check_fresh(facts, self._clock.now())
        _check_expected(facts, expected)
        part = SignedPart(signed_info=info.data, signature=value, headers=headers, key=proof)
        return VerifiedSoap(body=shape.body[0], part=part, facts=facts)


def _shape(root: etree._Element) -> _Shape:
    if root.tag != n.ENVELOPE or [child.tag for child in root] != [n.HEADER, n.BODY] or len(root[1]) != 1:
        raise n.SoapSignatureError("envelope_shape")
    header, body = root
    tags = [child.tag for child in header]
    if len(set(tags)) != len(tags):
        raise n.SoapSignatureError("header_repeated")
    counts = Counter(node.tag for node in root.iter())
    if any(str(tag).startswith(_ENCRYPTED) for tag in counts):
        raise n.SoapSignatureError("encrypted")
    # Counted over the whole document: a second one anywhere is somebody's wrapping.
    for tag in (n.SECURITY, n.SIGNATURE, n.SIGNED_INFO, n.TOKEN, n.TIMESTAMP, n.HEADER, n.BODY, n.ENVELOPE):
        if counts[tag] != 1:
            raise n.SoapSignatureError("security_shape")
    security = header.find(n.SECURITY)
    signature = None if security is None else security.find(n.SIGNATURE)
    if security is None or signature is None or [child.tag for child in signature] != _SIGNATURE_CHILDREN:
        raise n.SoapSignatureError("security_shape")
    return _Shape(root, header, body, security, signature)


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


def _certificate(shape: _Shape) -> bytes:
    token = shape.security.find(n.TOKEN)
    key_info = shape.signature[2]
    reference = key_info.find(f"{n.TOKEN_REFERENCE}/{n.TOKEN_URI}")
    if (
        token is None
        or reference is None
        or len(key_info) != 1
        or len(key_info[0]) != 1
        or reference.get("URI") != "#" + token.get(n.WSU_ID, "")
        or token.get("ValueType") != n.X509V3
        or token.get("EncodingType", n.BASE64) != n.BASE64
    ):
        raise n.SoapSignatureError("token_refused")
    return decode(token)


def _resolve(shape: _Shape, nodes: dict[str, etree._Element], info: SignedInfo) -> tuple[dict[str, bytes], bytes]:
    """Canonical header blocks by wsu:Id, and the canonical Body."""
    headers: dict[str, bytes] = {}
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
        headers[reference.target] = canonical_form(node, reference.prefixes)
    if body is None:
        raise n.SoapSignatureError("not_covered")
    return headers, body


def _check_fresh(facts: SignedPartFacts, now: datetime) -> None:
    created, expires = facts.created, facts.expires
    if created is None or expires is None or not created < expires <= created + _SPAN:
        raise n.SoapSignatureError("timestamp_stale")
    if created > now + _SKEW or expires < now - _SKEW:
        raise n.SoapSignatureError("timestamp_stale")


def _check_expected(facts: SignedPartFacts, expected: Expected) -> None:
    for wanted, found, reason in (
        (expected.action, facts.action, "action_differs"),
        (expected.to, facts.to, "to_differs"),
        (expected.relates_to, facts.relates_to, "relates_to_differs"),
        (expected.confirms, facts.confirmation, "confirmation_differs"),
    ):
        if wanted is not None and wanted != found:
            raise n.SoapSignatureError(reason)
