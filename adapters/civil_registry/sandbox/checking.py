"""How the sandbox judges a request's signature: with xmlsec, on purpose not with the gateway's own code.

Algorithms are held to an allow-list in xmlsec's own context; what the references cover, freshness and replay are
checked here, and the caller's certificate by its authority.
"""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import xmlsec
from lxml import etree

from certs.paths import vet
from certs.profiles import CertificateRefusedError, Profile
from gateway.signing.xml import XmlRefusedError, parse

if TYPE_CHECKING:
    from certs.paths import Authority
    from gateway.ports import Clock

NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "a": "http://www.w3.org/2005/08/addressing",
    "w": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "u": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "d": "http://www.w3.org/2000/09/xmldsig#",
}
_ID = f"{{{NS['u']}}}Id"
_SKEW, _SPAN = timedelta(seconds=30), timedelta(minutes=5)
_REMEMBERED = 100_000
_SECURITY = "/s:Envelope/s:Header/w:Security"
_SIGNED = (
    "/s:Envelope/s:Body",
    f"{_SECURITY}/u:Timestamp",
    "/s:Envelope/s:Header/a:To",
    "/s:Envelope/s:Header/a:Action",
    "/s:Envelope/s:Header/a:MessageID",
)


class RequestRefusedError(Exception):
    """The request is answered with a fault; ``reason`` is a stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request whose signature held: the Body's child, and what its answer must name."""

    payload: etree._Element = field(repr=False)
    message_id: str
    signature_value: str = field(repr=False)


class RequestChecker:
    """Checks requests to one address; keeps verdicts on certificates, and MessageIDs until they expire."""

    def __init__(self, callers: Authority, clock: Clock, address: str, action: str) -> None:
        self._callers = callers
        self._clock = clock
        self._address = address
        self._action = action
        self._lock = threading.Lock()
        self._verdicts: dict[bytes, datetime] = {}
        self._seen: dict[str, datetime] = {}

    def check(self, data: bytes) -> CheckedRequest:
        """The request, checked; raises RequestRefusedError."""
        try:
            root = parse(data)
        except XmlRefusedError as refused:
            raise RequestRefusedError(refused.reason) from None
        now = self._clock.now()
        signature = _only(root, f"{_SECURITY}/d:Signature")
        key = self._key(_only(root, f"{_SECURITY}/w:BinarySecurityToken"), now)
        self._check_coverage(root, signature)
        _verify(root, signature, key)
        expires = _expiry(root, now)
        if _text(root, _SIGNED[2]) != self._address or _text(root, _SIGNED[3]) != self._action:
            raise RequestRefusedError("addressed_elsewhere")
        message_id = _text(root, _SIGNED[4])
        self._remember(message_id, expires, now)
        body = _only(root, _SIGNED[0])
        if len(body) != 1:
            raise RequestRefusedError("body_malformed")
        value = "".join(_text(root, f"{_SECURITY}/d:Signature/d:SignatureValue").split())
        return CheckedRequest(body[0], message_id, value)

    def _key(self, token: etree._Element, now: datetime) -> xmlsec.Key:
        try:
            certificate = base64.b64decode(token.text or "", validate=True)
            if self._verdicts.get(certificate, now) <= now:
                self._verdicts[certificate] = vet(certificate, Profile.SIGNING, self._callers, now).until
            return xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertDer)
        except (binascii.Error, ValueError, xmlsec.Error):
            raise RequestRefusedError("token_malformed") from None
        except CertificateRefusedError as refused:
            raise RequestRefusedError(f"certificate_{refused.reason}") from None

    def _check_coverage(self, root: etree._Element, signature: etree._Element) -> None:
        ids = [node.get(_ID) for node in root.iter() if node.get(_ID) is not None]
        references = {str(node.get("URI")) for node in signature.findall("d:SignedInfo/d:Reference", NS)}
        if len(ids) != len(set(ids)) or _count(root, ".//d:Signature") != 1:
            raise RequestRefusedError("id_repeated")
        if not all(f"#{_only(root, path).get(_ID)}" in references for path in _SIGNED):
            raise RequestRefusedError("not_covered")

    def _remember(self, message_id: str, expires: datetime, now: datetime) -> None:
        with self._lock:
            if message_id in self._seen:
                raise RequestRefusedError("replayed")
            if len(self._seen) >= _REMEMBERED:
                self._seen = {known: until for known, until in self._seen.items() if until + _SKEW > now}
            self._seen[message_id] = expires


def _verify(root: etree._Element, signature: etree._Element, key: xmlsec.Key) -> None:
    context = xmlsec.SignatureContext()
    context.key = key
    for transform in (xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformSha256):
        context.enable_reference_transform(transform)
    for transform in (
        xmlsec.constants.TransformExclC14N,
        xmlsec.constants.TransformEcdsaSha256,
        xmlsec.constants.TransformRsaSha256,
    ):
        context.enable_signature_transform(transform)
    try:
        xmlsec.tree.add_ids(root, ["Id"])
        context.verify(signature)
    except xmlsec.Error:
        raise RequestRefusedError("signature_invalid") from None


def _expiry(root: etree._Element, now: datetime) -> datetime:
    try:
        created = datetime.fromisoformat(_text(root, f"{_SIGNED[1]}/u:Created"))
        expires = datetime.fromisoformat(_text(root, f"{_SIGNED[1]}/u:Expires"))
        fresh = created - _SKEW <= now <= expires + _SKEW and created < expires <= created + _SPAN
    except (ValueError, TypeError):
        raise RequestRefusedError("timestamp_malformed") from None
    if not fresh:
        raise RequestRefusedError("timestamp_stale")
    return expires


def _count(root: etree._Element, path: str) -> int:
    return len(root.getroottree().findall(path, NS))


def _only(root: etree._Element, path: str) -> etree._Element:
    found = root.getroottree().xpath(path, namespaces=NS)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], etree._Element):  # noqa: SLF001  lxml's only name for its class
        raise RequestRefusedError("part_missing_or_repeated")
    return found[0]


def _text(root: etree._Element, path: str) -> str:
    return (_only(root, path).text or "").strip()
