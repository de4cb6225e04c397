"""What a kept SOAP signature proves without its Body: the same check for the gateway and for an offline auditor.

Pure: bytes in, facts out. Trust in the certificate, and freshness, are the caller's questions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from gateway.signing import algorithms
from gateway.signing import soap_names as n
from gateway.signing.soap_info import SignedInfo, decode_text, read_block, read_signed_info
from gateway.signing.xml import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml import etree

_OWN = f"{{{n.EXCHANGE}}}"
_NO_NODES: Mapping[str, etree._Element] = MappingProxyType({})
#: Bytes of a block: with so few it has fewer elements than the limits for evidence.
_AT_HAND = 1024
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@dataclass(frozen=True, slots=True)
class SignedPartFacts:
    """What a signature covers, all of it signed; None where the message did not sign such a header.

    Attributes:
        parts: Clark names of the signed header blocks, Body apart.
        created: start of the Timestamp, UTC.
        expires: end of the Timestamp, UTC.
        body_id: the wsu:Id of the Body.
        body_digest: SHA-256 of the canonical Body.
        confirmation: the signature value of the request that an answer confirms.
        own: the texts of our own header blocks (``n.EXCHANGE``), by local name: ``Exchange-Id``, ``Ledger-Leaf``, ...
    """

    parts: frozenset[str]
    action: str | None
    to: str | None
    message_id: str | None
    relates_to: str | None
    created: datetime | None
    expires: datetime | None
    body_id: str
    body_digest: bytes = field(repr=False)
    confirmation: bytes | None = field(repr=False)
    own: Mapping[str, str] = field(default_factory=dict)


def check_signed_part(
    signed_info: bytes, signature: bytes, headers: Mapping[str, bytes], certificate_der: bytes
) -> SignedPartFacts:
    """The facts of a kept SignedPart, once the signature over SignedInfo and each header's digest hold.

    Every reference but one, the Body's, must be the digest of a kept canonical block, and every kept block
    must be referenced.

    Raises SoapSignatureError with a reason of ``read_signed_info`` or ``certificate_malformed``,
    ``algorithm_refused``, ``signature_invalid``, ``coverage_differs``, ``digest_mismatch``, ``block_malformed``,
    ``block_repeated``, ``timestamp_malformed``.
    """
    return check_read_part(read_signed_info(signed_info), signature, headers, certificate_der)


def check_read_part(
    info: SignedInfo,
    signature: bytes,
    headers: Mapping[str, bytes],
    certificate_der: bytes,
    nodes: Mapping[str, etree._Element] = _NO_NODES,
) -> SignedPartFacts:
    """``check_signed_part`` for a SignedInfo that was read already; refusals from ``certificate_malformed`` on.

    ``nodes`` are the elements whose canonical forms ``headers`` are, where they are at hand.
    """
    _check_signature(info.method, signature, info.data, certificate_der)
    bodies = info.references.keys() - headers.keys()
    if len(bodies) != 1 or headers.keys() - info.references.keys():
        raise n.SoapSignatureError("coverage_differs")
    blocks: dict[str, _Block] = {}
    for name, data in headers.items():
        if digest(data) != info.references[name].digest:
            raise n.SoapSignatureError("digest_mismatch")
        block = _block_of(nodes.get(name), data)
        if block.identifier != name or block.tag in n.BODIES:
            raise n.SoapSignatureError("block_malformed")
        if block.tag in blocks:
            raise n.SoapSignatureError("block_repeated")
        blocks[block.tag] = block
    (body_id,) = bodies
    created, expires = _timestamp(blocks.get(n.TIMESTAMP))
    confirmation = blocks.get(n.CONFIRMATION)
    return SignedPartFacts(
        parts=frozenset(blocks),
        action=_text(blocks.get(n.ACTION)),
        to=_text(blocks.get(n.TO)),
        message_id=_text(blocks.get(n.MESSAGE_ID)),
        relates_to=_text(blocks.get(n.RELATES_TO)),
        created=created,
        expires=expires,
        body_id=body_id,
        body_digest=info.references[body_id].digest,
        confirmation=None if confirmation is None else decode_text(confirmation.value),
        own={tag.removeprefix(_OWN): _text(block) or "" for tag, block in blocks.items() if tag.startswith(_OWN)},
    )


def _check_signature(method: str, signature: bytes, signed_info: bytes, certificate_der: bytes) -> None:
    try:
        certificate, algorithm = _key(certificate_der)
    except (ValueError, UnsupportedAlgorithm):
        raise n.SoapSignatureError("certificate_malformed") from None
    # The key says which algorithm it is; the message may only agree (S5).
    if algorithm is None or n.SIGNATURE_METHODS.get(algorithm) != method:
        raise n.SoapSignatureError("algorithm_refused")
    if not algorithms.verify(certificate, algorithm, signature, signed_info):
        raise n.SoapSignatureError("signature_invalid")


@lru_cache(maxsize=256)
def _key(certificate_der: bytes) -> tuple[x509.Certificate, str | None]:
    """The certificate with its key's algorithm; kept, since a key's point is looked for on its curve when it is read.

    Raises ValueError, UnsupportedAlgorithm.
    """
    certificate = x509.load_der_x509_certificate(certificate_der)
    return certificate, algorithms.algorithm_of(certificate, soap=True)


@dataclass(frozen=True, slots=True)
class _Block:
    """A header block, read.

    Attributes:
        identifier: its wsu:Id.
        text: None where it has elements, or nothing.
        children: tag and text of each element in it; None for the text of one that has elements itself.
        value: its attribute ``Value``.
    """

    tag: str
    identifier: str | None
    text: str | None
    children: tuple[tuple[str, str | None], ...]
    value: str | None


def _block_of(node: etree._Element | None, data: bytes) -> _Block:
    """Out of the very node whose canonical bytes are signed, where these are far from the limits for evidence."""
    if node is None or len(data) > _AT_HAND or any(map(len, node)):
        return _block(data)
    return _read(node)


@lru_cache(maxsize=64)
def _block(data: bytes) -> _Block:
    """Kept, since To and Action are the same bytes in each message of a peer; refusals of ``read_block``."""
    return _read(read_block(data))


def _read(element: etree._Element) -> _Block:
    children = tuple([(child.tag, None if len(child) else child.text or "") for child in element])
    text = None if children else element.text or None
    return _Block(element.tag, element.get(n.WSU_ID), text, children, element.get("Value"))


def _text(block: _Block | None) -> str | None:
    if block is None:
        return None
    if block.text is None:
        raise n.SoapSignatureError("block_malformed")
    return block.text.strip(n.SPACE)


def _timestamp(block: _Block | None) -> tuple[datetime | None, datetime | None]:
    if block is None:
        return None, None
    if [tag for tag, _ in block.children] != [n.CREATED, n.EXPIRES]:
        raise n.SoapSignatureError("timestamp_malformed")
    (_, created), (_, expires) = block.children
    return _instant(created), _instant(expires)


def _instant(text: str | None) -> datetime:
    if text is None or not _INSTANT.fullmatch(text):
        raise n.SoapSignatureError("timestamp_malformed")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise n.SoapSignatureError("timestamp_malformed") from None
