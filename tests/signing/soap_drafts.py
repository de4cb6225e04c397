"""SOAP requests signed as a test wants them, right by default; without our own signer, so that they check it too.

``before`` changes the envelope before it is signed, ``after`` once it is; ``signed`` gives the bytes.
"""

from __future__ import annotations

import uuid
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.authority import Issued
    from gateway.model import Form

SOAP = {"soap11": "http://schemas.xmlsoap.org/soap/envelope/", "soap12": "http://www.w3.org/2003/05/soap-envelope"}
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
PX = "urn:passerelle:exchange:v1"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
TOKEN_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ECHO = "urn:passerelle:echo:v1"
ID = f"{{{WSU}}}Id"
#: What is signed by default, by local name; Timestamp and Body are looked for where they are.
SIGNED = ("To", "Action", "MessageID", "Exchange-Agreement", "Exchange-Purpose", "Timestamp", "Body")


@dataclass(frozen=True)
class SignedSoap:
    """What goes over the wire, and what the answer must repeat."""

    target: str
    headers: dict[str, str]
    body: bytes
    message_id: str
    signature: bytes
    method: str = "POST"


def nothing(_: etree._Element) -> None:
    pass


@dataclass(frozen=True)
class SoapDraft:
    """A request before it is signed; ``but`` makes another with a few things changed."""

    key: Issued
    origin: str
    form: Form = "soap11"
    target: str = "/soap/echo/v1"
    to: str | None = None
    action: str = f"{ECHO}/Echo"
    http_action: str | None = None
    payload: bytes = f'<e:EchoRequest xmlns:e="{ECHO}"><e:message>Bonjour, ça va?</e:message></e:EchoRequest>'.encode()
    agreement: str = "ESSAI-MIN"
    purpose: str = "essai"
    idempotency_key: str | None = None
    message_id: str | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))  # noqa: TID251  real gateways, real time
    lifetime: timedelta = timedelta(seconds=60)
    token: str = "token"
    parts: tuple[str, ...] = SIGNED
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[etree._Element], None] = nothing
    after: Callable[[etree._Element], None] = nothing

    def but(self, **changes: Any) -> SoapDraft:
        return replace(self, **changes)

    def signed(self) -> SignedSoap:
        message_id = self.message_id or f"urn:uuid:{uuid.uuid4()}"
        envelope = self._envelope(message_id)
        self.before(envelope)
        keyed = () if self.idempotency_key is None else ("Idempotency-Key",)
        signature = sign(envelope, self.key, (*self.parts, *keyed), self.token)
        self.after(envelope)
        return SignedSoap(self.target, self.http_headers(), etree.tostring(envelope), message_id, signature)

    def http_headers(self) -> dict[str, str]:
        action = self.http_action if self.http_action is not None else self.action
        named = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{action}"'}
        if self.form == "soap12":
            named = {"content-type": f'application/soap+xml; charset=utf-8; action="{action}"'}
        return named | self.headers

    def _envelope(self, message_id: str) -> etree._Element:
        soap = SOAP[self.form]
        envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"env": soap, "a": WSA, "x": PX})
        header = etree.SubElement(envelope, f"{{{soap}}}Header")
        texts = {
            f"{{{WSA}}}To": self.origin + self.target if self.to is None else self.to,
            f"{{{WSA}}}Action": self.action,
            f"{{{WSA}}}MessageID": message_id,
            f"{{{PX}}}Exchange-Agreement": self.agreement,
            f"{{{PX}}}Exchange-Purpose": self.purpose,
        }
        if self.idempotency_key is not None:
            texts[f"{{{PX}}}Idempotency-Key"] = self.idempotency_key
        for tag, text in texts.items():
            etree.SubElement(header, tag).text = text
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"o": WSSE, "u": WSU})
        security.set(f"{{{soap}}}mustUnderstand", "1")
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        for name, at in (("Created", self.created), ("Expires", self.created + self.lifetime)):
            etree.SubElement(
                timestamp, f"{{{WSU}}}{name}"
            ).text = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
        body = etree.SubElement(envelope, f"{{{soap}}}Body")
        body.append(etree.fromstring(self.payload))  # noqa: TID251  the test's own bytes
        return envelope


def find(root: etree._Element, local_name: str) -> etree._Element:
    """The first element of this local name."""
    return next(node for node in root.iter() if etree.QName(node).localname == local_name)


def canonical(node: etree._Element) -> bytes:
    return etree.tostring(node, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def sign(envelope: etree._Element, key: Issued, parts: tuple[str, ...], token: str) -> bytes:
    """Adds token, Signature and KeyInfo to the Security header; the raw signature."""
    security = find(envelope, "Security")
    if token == "token":
        sent = etree.Element(f"{{{WSSE}}}BinarySecurityToken", EncodingType=BASE64, ValueType=f"{TOKEN_PROFILE}#X509v3")
        sent.set(ID, "X509-1")
        sent.text = b64encode(key.der).decode()
        security.insert(0, sent)
    signature = etree.SubElement(security, f"{{{DS}}}Signature", nsmap={"ds": DS})
    info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
    etree.SubElement(info, f"{{{DS}}}CanonicalizationMethod", Algorithm=C14N)
    name = "rsa-sha256" if isinstance(key.key, rsa.RSAPrivateKey) else "ecdsa-sha256"
    etree.SubElement(info, f"{{{DS}}}SignatureMethod", Algorithm=f"{MORE}{name}")
    for part in parts:
        _refer(info, find(envelope, part))
    value = etree.SubElement(signature, f"{{{DS}}}SignatureValue")
    signature.append(key_info(key, token))
    raw = raw_signature(key, canonical(info))
    value.text = b64encode(raw).decode()
    return raw


def resign(envelope: etree._Element, key: Issued) -> None:
    """The signature over SignedInfo made anew by the true key, after SignedInfo was changed."""
    raw = raw_signature(key, canonical(find(envelope, "SignedInfo")))
    find(envelope, "SignatureValue").text = b64encode(raw).decode()


def _refer(info: etree._Element, node: etree._Element) -> None:
    identifier = node.get(ID) or f"part-{etree.QName(node).localname}"
    node.set(ID, identifier)
    reference = etree.SubElement(info, f"{{{DS}}}Reference", URI=f"#{identifier}")
    transforms = etree.SubElement(reference, f"{{{DS}}}Transforms")
    etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=C14N)
    etree.SubElement(reference, f"{{{DS}}}DigestMethod", Algorithm="http://www.w3.org/2001/04/xmlenc#sha256")
    found = b64encode(sha256(canonical(node)).digest()).decode()
    etree.SubElement(reference, f"{{{DS}}}DigestValue").text = found


def key_info(key: Issued, token: str) -> etree._Element:
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
    reference = etree.SubElement(info, f"{{{WSSE}}}SecurityTokenReference", nsmap={"wsse": WSSE})
    if token == "token":
        etree.SubElement(reference, f"{{{WSSE}}}Reference", URI="#X509-1", ValueType=f"{TOKEN_PROFILE}#X509v3")
    elif token == "issuer_serial":
        data = etree.SubElement(reference, f"{{{DS}}}X509Data")
        serial = etree.SubElement(data, f"{{{DS}}}X509IssuerSerial")
        etree.SubElement(serial, f"{{{DS}}}X509IssuerName").text = key.certificate.issuer.rfc4514_string()
        etree.SubElement(serial, f"{{{DS}}}X509SerialNumber").text = str(key.certificate.serial_number)
    else:
        kind, value = _identifier(key, token)
        element = etree.SubElement(reference, f"{{{WSSE}}}KeyIdentifier", EncodingType=BASE64, ValueType=kind)
        element.text = b64encode(value).decode()
    return info


def _identifier(key: Issued, token: str) -> tuple[str, bytes]:
    if token == "thumbprint":
        kind = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
        return kind, sha1(key.der, usedforsecurity=False).digest()
    extension = key.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return f"{TOKEN_PROFILE}#X509SubjectKeyIdentifier", extension.value.digest


def raw_signature(key: Issued, data: bytes) -> bytes:
    if isinstance(key.key, rsa.RSAPrivateKey):
        return key.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(key.key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.key.sign(data, ec.ECDSA(hashes.SHA256())))
    size = (key.key.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)
