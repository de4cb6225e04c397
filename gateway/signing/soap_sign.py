"""Signs SOAP envelopes by WS-Security with a key that never leaves the keystore (DESIGN S4, S7).

Canonicalised and hashed here, signed through the port: raw r||s is XML Signature's own form of ECDSA.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lxml import etree

from gateway.model import SignedPart
from gateway.signing import soap_names as n
from gateway.signing import soap_text
from gateway.signing.soap_written import write_references
from gateway.signing.xml import canonical, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.model import CertificateProof
    from gateway.ports import Clock, Keystore

SIGNING_KEY = "signing"
_PREFIXES = {"ds": n.DS}
_LIFETIME = timedelta(seconds=60)
_WSSE_PREFIXES = {"wsse": n.WSSE, "wsu": n.WSU}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A message ready to be sent, its canonical Body, and what evidence keeps of it."""

    data: bytes = field(repr=False)
    body: bytes = field(repr=False)
    part: SignedPart


class SoapSigner:
    """Signs envelopes under one key; ``prove`` gives what evidence says of that key's certificate (DER)."""

    def __init__(
        self,
        keystore: Keystore,
        prove: Callable[[bytes], CertificateProof],
        clock: Clock,
        key: Callable[[], str] = lambda: SIGNING_KEY,
    ) -> None:
        """``key`` names the key in use, anew for each envelope: it may have been rotated."""
        self._keystore = keystore
        self._prove = prove
        self._clock = clock
        self._key = key

    def sign(self, envelope: etree._Element, header_tags: Sequence[str], confirms: bytes | None = None) -> SignedPart:
        """Adds the Security header to ``envelope`` and returns what evidence keeps of it.

        Signed are Body, a Timestamp of 60 seconds, the header blocks of ``header_tags`` (Clark names, each
        present once), and, in an answer, the SignatureConfirmation of the request's signature ``confirms``.
        The envelope must hold one Header and one Body, no Security, and none of our wsu:Ids.

        Raises KeystoreError, or SoapSignatureError (``header_missing``) for an envelope that lacks a part.
        """
        header, body = envelope.find(n.HEADER), envelope.find(n.BODY)
        if header is None or body is None:
            raise n.SoapSignatureError("header_missing")
        key = self._key()
        certificate = self._keystore.certificate(key)
        security = etree.SubElement(header, n.SECURITY, nsmap=_WSSE_PREFIXES)
        security.set(n.MUST_UNDERSTAND, "1")
        _add_token(security, certificate)
        blocks = [_identified(self._add_timestamp(security))]
        if confirms is not None:
            confirmation = etree.SubElement(security, n.CONFIRMATION, nsmap={"wsse11": n.WSSE11})
            confirmation.set("Value", base64.b64encode(confirms).decode())
            blocks.append(_identified(confirmation))
        for tag in header_tags:
            found = header.findall(tag)
            if len(found) != 1:
                raise n.SoapSignatureError("header_missing")
            blocks.append(_identified(found[0]))
        signature, info, headers = _add_signature(security, _identified(body), blocks)
        signed_info = canonical(info)
        value = self._keystore.sign(key, signed_info)
        _add_value(signature, value)
        return SignedPart(signed_info=signed_info, signature=value, headers=headers, key=self._prove(certificate))

    def message(self, addressing: Mapping[str, str], payload: etree._Element) -> SignedMessage:
        """A whole message of SOAP 1.1 around ``payload``.

        ``addressing`` are the texts of WS-Addressing's header blocks by local name. The same as ``sign`` makes, but
        written as text: building a tree and canonicalising each of its parts costs more than the signature.

        Raises KeystoreError.
        """
        inside = canonical(payload)
        if any(taken in inside for taken in soap_text.TAKEN):
            return self._of_tree(addressing, payload)
        key, now = self._key(), self._clock.now()
        certificate = self._keystore.certificate(key)
        headers = {f"id-{name}": soap_text.block("wsa", n.WSA, name, text) for name, text in addressing.items()}
        stamp, body = soap_text.timestamp(now, now + _LIFETIME), soap_text.body(inside)
        parts = {"id-Timestamp": stamp, **headers}
        signed = {**parts, "id-Body": body}
        signed_info = write_references((name.encode(), base64.b64encode(digest(form))) for name, form in signed.items())
        value = self._keystore.sign(key, signed_info)
        data = soap_text.envelope(headers.values(), [stamp], signed_info, value, certificate, body)
        part = SignedPart(signed_info=signed_info, signature=value, headers=parts, key=self._prove(certificate))
        return SignedMessage(data, body, part)

    def _of_tree(self, addressing: Mapping[str, str], payload: etree._Element) -> SignedMessage:
        """The same for a payload whose prefixes are those of the parts around it."""
        envelope = etree.Element(n.ENVELOPE, nsmap={"soapenv": n.SOAP, "wsa": n.WSA, "wsu": n.WSU})
        header = etree.SubElement(envelope, n.HEADER)
        for name, text in addressing.items():
            etree.SubElement(header, f"{{{n.WSA}}}{name}").text = text
        body = etree.SubElement(envelope, n.BODY)
        body.append(payload)
        part = self.sign(envelope, [f"{{{n.WSA}}}{name}" for name in addressing])
        return SignedMessage(etree.tostring(envelope, encoding="utf-8"), canonical(body), part)

    def _add_timestamp(self, security: etree._Element) -> etree._Element:
        timestamp = etree.SubElement(security, n.TIMESTAMP)
        now = self._clock.now()
        for tag, instant in ((n.CREATED, now), (n.EXPIRES, now + _LIFETIME)):
            etree.SubElement(timestamp, tag).text = instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return timestamp


def _add_signature(
    security: etree._Element, body: etree._Element, blocks: list[etree._Element]
) -> tuple[etree._Element, etree._Element, dict[str, bytes]]:
    """Signature, its SignedInfo over the blocks and the body, and the canonical bytes of each block by its wsu:Id."""
    signature = etree.SubElement(security, n.SIGNATURE, nsmap=_PREFIXES)
    info = etree.SubElement(signature, n.SIGNED_INFO)
    etree.SubElement(info, n.C14N_METHOD, Algorithm=n.EXCLUSIVE_C14N)
    etree.SubElement(info, n.SIGNATURE_METHOD, Algorithm=n.ECDSA_SHA256)
    headers: dict[str, bytes] = {}
    for block in blocks:
        headers[block.get(n.WSU_ID, "")] = form = canonical(block)
        _add_reference(info, block, form)
    _add_reference(info, body, canonical(body))
    return signature, info, headers


def _add_value(signature: etree._Element, value: bytes) -> None:
    """SignatureValue and KeyInfo, behind SignedInfo."""
    etree.SubElement(signature, n.SIGNATURE_VALUE).text = base64.b64encode(value).decode()
    key_info = etree.SubElement(signature, n.KEY_INFO)
    reference = etree.SubElement(key_info, n.TOKEN_REFERENCE)
    etree.SubElement(reference, n.TOKEN_URI, URI="#id-Token", ValueType=n.X509V3)


def _identified(element: etree._Element) -> etree._Element:
    element.set(n.WSU_ID, "id-" + etree.QName(element).localname)
    return element


def _add_token(security: etree._Element, certificate: bytes) -> None:
    token = etree.SubElement(security, n.TOKEN, EncodingType=n.BASE64, ValueType=n.X509V3)
    token.set(n.WSU_ID, "id-Token")
    token.text = base64.b64encode(certificate).decode()


def _add_reference(info: etree._Element, element: etree._Element, form: bytes) -> None:
    reference = etree.SubElement(info, n.REFERENCE, URI="#" + element.get(n.WSU_ID, ""))
    transforms = etree.SubElement(reference, n.TRANSFORMS)
    etree.SubElement(transforms, n.TRANSFORM, Algorithm=n.EXCLUSIVE_C14N)
    etree.SubElement(reference, n.DIGEST_METHOD, Algorithm=n.SHA256)
    etree.SubElement(reference, n.DIGEST_VALUE).text = base64.b64encode(digest(form)).decode()
