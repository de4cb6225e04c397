"""How the sandbox makes and signs its answers, with xmlsec: ecdsa-sha256, SHA-256, exclusive C14N."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import xmlsec
from lxml import etree
from lxml.builder import ElementMaker  # type: ignore[import-not-found]  # lxml-stubs leave it out

from adapters.civil_registry.sandbox.checking import NS

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.civil_registry.sandbox.checking import CheckedRequest

_WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
_ENCODING = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_LIFETIME = timedelta(seconds=60)
_NSMAP = {"soap": NS["s"], "wsa": NS["a"], "wsse": NS["w"], "wsu": NS["u"], "wsse11": _WSSE11}
_S = ElementMaker(namespace=NS["s"], nsmap=_NSMAP)
_A = ElementMaker(namespace=NS["a"], nsmap=_NSMAP)
_W = ElementMaker(namespace=NS["w"], nsmap=_NSMAP)
_U = ElementMaker(namespace=NS["u"], nsmap=_NSMAP)
_D = ElementMaker(namespace=NS["d"], nsmap={"ds": NS["d"]})
_C = ElementMaker(namespace=_WSSE11, nsmap=_NSMAP)


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A certificate (DER) and its private key (PEM)."""

    certificate: bytes
    key_pem: bytes = field(repr=False)


def signed_answer(
    payload: etree._Element, request: CheckedRequest, action: str, identity: SigningIdentity, now: datetime
) -> bytes:
    """The signed envelope around ``payload``, in answer to ``request``."""
    token = _W.BinarySecurityToken(
        base64.b64encode(identity.certificate).decode(), EncodingType=_ENCODING, ValueType=_PROFILE
    )
    token.set(f"{{{NS['u']}}}Id", "token")
    security = _W.Security(token, {f"{{{NS['s']}}}mustUnderstand": "1"})
    signed = [
        _S.Body(payload),
        _A.Action(action),
        _A.MessageID(f"urn:uuid:{uuid.uuid4()}"),
        _A.RelatesTo(request.message_id),
        _U.Timestamp(_U.Created(_text(now)), _U.Expires(_text(now + _LIFETIME))),
        _C.SignatureConfirmation(Value=request.signature_value),
    ]
    for number, part in enumerate(signed):
        part.set(f"{{{NS['u']}}}Id", f"part-{number}")
    body, *headers = signed
    security.extend(headers[3:])
    envelope = _S.Envelope(_S.Header(*headers[:3], security), body)
    _sign(envelope, security, [f"part-{number}" for number in range(len(signed))], identity)
    return etree.tostring(envelope, encoding="utf-8")


def _sign(envelope: etree._Element, security: etree._Element, ids: list[str], identity: SigningIdentity) -> None:
    signature = xmlsec.template.create(
        envelope, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformEcdsaSha256, ns="ds"
    )
    security.append(signature)
    for name in ids:
        reference = xmlsec.template.add_reference(signature, xmlsec.constants.TransformSha256, uri=f"#{name}")
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    xmlsec.tree.add_ids(envelope, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(identity.key_pem, xmlsec.constants.KeyDataFormatPem)
    context.sign(signature)
    # KeyInfo is not signed: it only says which token holds the key.
    signature.append(_D.KeyInfo(_W.SecurityTokenReference(_W.Reference(URI="#token", ValueType=_PROFILE))))


def spoil_signature(answer: bytes) -> bytes:
    """The same answer with one character of its SignatureValue changed."""
    start = answer.index(b"SignatureValue>") + len(b"SignatureValue>") + 10
    other = b"A" if answer[start : start + 1] != b"A" else b"B"
    return answer[:start] + other + answer[start + 1 :]


def fault(reason: str) -> bytes:
    """An unsigned SOAP 1.1 fault with a stable word, nothing of the request in it."""
    return etree.tostring(
        _S.Envelope(_S.Body(_S.Fault(etree_text("faultcode", "soap:Client"), etree_text("faultstring", reason)))),
        encoding="utf-8",
    )


def etree_text(tag: str, text: str) -> etree._Element:
    """An element without namespace, as a fault's children are."""
    element = etree.Element(tag)
    element.text = text
    return element


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
