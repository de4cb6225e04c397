"""WS-Security as docs/profile.md chooses it, for zeep: signs what it sends and verifies what comes, with xmlsec."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

if TYPE_CHECKING:
    from pathlib import Path

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
EXCHANGE = "urn:passerelle:exchange:v1"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
WSSE, WSU = f"{_OASIS}-wssecurity-secext-1.0.xsd", f"{_OASIS}-wssecurity-utility-1.0.xsd"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
X509V3 = f"{_OASIS}-x509-token-profile-1.0#X509v3"
SUBJECT_KEY = f"{_OASIS}-x509-token-profile-1.0#X509SubjectKeyIdentifier"
THUMBPRINT = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
BASE64 = f"{_OASIS}-soap-message-security-1.0#Base64Binary"
ID = f"{{{WSU}}}Id"
METHODS = {"ecdsa-sha256": xmlsec.constants.TransformEcdsaSha256, "rsa-sha256": xmlsec.constants.TransformRsaSha256}
OWN = ("Exchange-Id", "Ledger-Leaf", "Ledger-By")
ANSWERS = {"Body", "Timestamp", "Action", "MessageID", "RelatesTo", "SignatureConfirmation", *OWN}
#: A request that was refused before it was proven has no signature that could be confirmed.
EARLY = {"Body", "Timestamp", "Action", "MessageID", *OWN}


class AnswerRefusedError(Exception):
    """An answer that does not prove itself."""


@dataclass(frozen=True)
class Sent:
    """The last request: its bytes, and what its answer must be bound to."""

    data: bytes
    to: str
    action: str
    message_id: str
    signature: bytes


@dataclass(frozen=True)
class Proven:
    """What an answer's signature covers: local names, our header blocks' texts, the canonical Body."""

    covered: frozenset[str]
    own: dict[str, str]
    body: bytes


class Signature:
    """zeep's ``wsse``: ``apply`` signs an envelope, ``verify`` raises AnswerRefusedError unless an answer holds."""

    def __init__(self, folder: Path, algorithm: str, reference: str) -> None:
        self._method = METHODS[algorithm]
        self._reference = reference
        self._key = xmlsec.Key.from_file(str(folder / "signing.key"), xmlsec.constants.KeyDataFormatPem)
        self._own = x509.load_pem_x509_certificate((folder / "signing.pem").read_bytes())
        gateway = x509.load_pem_x509_certificate((folder / "gateway.pem").read_bytes())
        self._gateway = gateway.public_bytes(Encoding.DER)
        self.sent = Sent(b"", "", "", "", b"")
        self.proven = Proven(frozenset(), {}, b"")
        self.received = b""

    def apply(self, envelope: Any, headers: Any) -> Any:
        header, body = envelope
        soap = etree.QName(envelope).namespace
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        security.set(f"{{{soap}}}mustUnderstand", "1")
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        now = datetime.now(UTC)  # noqa: TID251  a stranger has no clock of ours
        for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=2))):
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = f"{instant:%Y-%m-%dT%H:%M:%SZ}"
        key_info = self._key_info(security)
        signed = [body, timestamp, *header[:-1]]
        for number, part in enumerate(signed):
            part.set(ID, f"part-{number}")
        signature = xmlsec.template.create(envelope, xmlsec.constants.TransformExclC14N, self._method, ns="ds")
        security.append(signature)
        for number in range(len(signed)):
            reference = xmlsec.template.add_reference(
                signature, xmlsec.constants.TransformSha256, uri=f"#part-{number}"
            )
            xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        context = self._context()
        xmlsec.tree.add_ids(envelope, ["Id"])
        context.key = self._key
        context.sign(signature)
        signature.append(key_info)
        self._remember(envelope, header)
        return envelope, headers

    def _context(self) -> Any:
        """xmlsec's, held to the profile's algorithms."""
        context = xmlsec.SignatureContext()
        for transform in (xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformSha256):
            context.enable_reference_transform(transform)
        for transform in (xmlsec.constants.TransformExclC14N, *METHODS.values()):
            context.enable_signature_transform(transform)
        return context

    def _key_info(self, security: Any) -> Any:
        """KeyInfo: the certificate sent along, or named by its thumbprint or its subject key identifier."""
        key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
        reference = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference", nsmap={"wsse": WSSE})
        if self._reference == "token":
            token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", EncodingType=BASE64, ValueType=X509V3)
            token.set(ID, "token")
            token.text = base64.b64encode(self._own.public_bytes(Encoding.DER)).decode()
            etree.SubElement(reference, f"{{{WSSE}}}Reference", URI="#token", ValueType=X509V3)
            return key_info
        identifier = etree.SubElement(reference, f"{{{WSSE}}}KeyIdentifier", EncodingType=BASE64)
        if self._reference == "thumbprint":
            identifier.set("ValueType", THUMBPRINT)
            value = self._own.fingerprint(SHA1())  # noqa: S303  an identifier that the token profile prescribes
        else:
            identifier.set("ValueType", SUBJECT_KEY)
            value = self._own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        identifier.text = base64.b64encode(value).decode()
        return key_info

    def _remember(self, envelope: Any, header: Any) -> None:
        def text(name: str) -> str:
            return str(header.findtext(f"{{{WSA}}}{name}"))

        value = base64.b64decode(envelope.findtext(f".//{{{DS}}}SignatureValue"))
        self.sent = Sent(etree.tostring(envelope), text("To"), text("Action"), text("MessageID"), value)

    def verify(self, envelope: Any) -> None:
        """Raises AnswerRefusedError unless the gateway signed this, in answer to the last request."""
        header, body, security, signature = self._places(envelope)
        # 1  the gateway's key, and no other that the message may bring
        token = security.findtext(f"{{{WSSE}}}BinarySecurityToken") or ""
        need(base64.b64decode(token) == self._gateway, "another key")
        # 2  each reference names one node, in the place where it is read
        allowed = {part.get(ID): part for part in (body, *header, *security)}
        ids = [node.get(ID) for node in envelope.iter() if node.get(ID) is not None]
        need(len(ids) == len(set(ids)), "an Id twice")
        names = [str(node.get("URI"))[1:] for node in signature[0].iter(f"{{{DS}}}Reference")]
        need(all(name in allowed for name in names), "a reference to another place")
        covered = {etree.QName(allowed[name]).localname: allowed[name] for name in names}
        refused = body[0].tag == f"{{{etree.QName(body).namespace}}}Fault"
        need(covered.keys() >= (EARLY if refused else ANSWERS), "does not cover all that it must")
        need(covered["Body"] is body, "another Body")
        # 3  the signature holds
        context = self._context()
        context.key = xmlsec.Key.from_memory(self._gateway, xmlsec.constants.KeyDataFormatCertDer)
        xmlsec.tree.add_ids(envelope, ["Id"])
        try:
            context.verify(signature)
        except xmlsec.Error:
            raise AnswerRefusedError("the signature does not hold") from None
        # 4  now, and for this request
        self._bound(covered)
        own = {name: str(covered[name].text) for name in OWN}
        self.received = etree.tostring(envelope)
        self.proven = Proven(frozenset(covered), own, canonical(body))

    @staticmethod
    def _places(envelope: Any) -> tuple[Any, Any, Any, Any]:
        soap = etree.QName(envelope).namespace
        need([child.tag for child in envelope] == [f"{{{soap}}}Header", f"{{{soap}}}Body"], "no such envelope")
        header, body = envelope
        found = header.findall(f"{{{WSSE}}}Security")
        need(len(found) == 1 and len(list(envelope.iter(f"{{{DS}}}Signature"))) == 1, "more than one signature")
        return header, body, found[0], found[0].find(f"{{{DS}}}Signature")

    def _bound(self, covered: dict[str, Any]) -> None:
        now = datetime.now(UTC)  # noqa: TID251  the same
        created, expires = (datetime.fromisoformat(str(part.text)) for part in covered["Timestamp"])
        need(created - timedelta(seconds=30) <= now <= expires + timedelta(seconds=30), "not now")
        if "RelatesTo" in covered:
            need(covered["RelatesTo"].text == self.sent.message_id, "the answer to another request")
        if "SignatureConfirmation" in covered:
            value = base64.b64decode(covered["SignatureConfirmation"].get("Value"))
            need(value == self.sent.signature, "the answer to another signature")


def canonical(element: Any) -> bytes:
    """Exclusive canonical form."""
    form: bytes = etree.tostring(element, method="c14n", exclusive=True, with_tail=False)
    return form


def need(holds: bool, what: str) -> None:  # noqa: FBT001  the condition reads as the sentence that it is
    """Raises AnswerRefusedError unless it holds."""
    if not holds:
        raise AnswerRefusedError(what)
