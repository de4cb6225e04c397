"""How a SOAP message names the certificate of its key: sent along, or named among those that are known (S4).

Forms of the X.509 Token Profile 1.1, section 3.2. None of them is proof of anything: the signature is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Literal

from cryptography import x509

from gateway.signing import soap_names as n
from gateway.signing.soap_info import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree

_SERIAL = re.compile(r"\d{1,50}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenReference:
    """What KeyInfo says of the certificate.

    Attributes:
        kind: which of the forms.
        value: the certificate's DER (``token``), SHA-1 of it (``thumbprint``), or its SubjectKeyIdentifier
            (``subject_key``); empty for ``issuer_serial``.
        issuer: the issuer's distinguished name as written (RFC 4514).
        serial: the serial number.
    """

    kind: Literal["token", "issuer_serial", "thumbprint", "subject_key"]
    value: bytes = field(default=b"", repr=False)
    issuer: str = ""
    serial: int = 0


def token_reference(token: etree._Element | None, key_info: etree._Element) -> TokenReference:
    """The one reference in ``key_info``; ``token`` is the BinarySecurityToken, there for the form that names it only.

    Raises SoapSignatureError: ``token_refused``, ``base64_malformed``.
    """
    if token is not None:
        return _sent_along(token, _only(_only(key_info, n.TOKEN_REFERENCE), n.TOKEN_URI))
    reference = _only(key_info, n.TOKEN_REFERENCE)
    if len(reference) == 1 and reference[0].tag == n.KEY_IDENTIFIER:
        return _identifier(reference[0])
    return _issuer_serial(_only(_only(reference, n.X509_DATA), n.ISSUER_SERIAL))


def named_among(reference: TokenReference, certificates: Iterable[bytes]) -> bytes | None:
    """The certificate (DER) that a reference names without sending it along; None where it is none of these, or two."""
    found = {der for der in certificates if _is_named(reference, der)}
    return found.pop() if len(found) == 1 else None


def _only(parent: etree._Element, tag: str) -> etree._Element:
    """The one child of an element; raises SoapSignatureError where it is another, or not the only one."""
    if [child.tag for child in parent] != [tag]:
        raise n.SoapSignatureError("token_refused")
    return parent[0]


def _sent_along(token: etree._Element, reference: etree._Element) -> TokenReference:
    if (
        len(reference)
        or reference.get("URI") != "#" + token.get(n.WSU_ID, "")
        or token.get("ValueType") != n.X509V3
        or token.get("EncodingType", n.BASE64) != n.BASE64
    ):
        raise n.SoapSignatureError("token_refused")
    return TokenReference("token", decode(token))


def _identifier(element: etree._Element) -> TokenReference:
    if element.get("EncodingType", n.BASE64) != n.BASE64:
        raise n.SoapSignatureError("token_refused")
    match element.get("ValueType"):
        case n.THUMBPRINT:
            return TokenReference("thumbprint", decode(element))
        case n.SUBJECT_KEY:
            return TokenReference("subject_key", decode(element))
        case _:
            raise n.SoapSignatureError("token_refused")


def _issuer_serial(element: etree._Element) -> TokenReference:
    if [child.tag for child in element] != [n.ISSUER_NAME, n.SERIAL_NUMBER]:
        raise n.SoapSignatureError("token_refused")
    issuer, serial = ((child.text or "").strip() for child in element)
    if not _SERIAL.fullmatch(serial):
        raise n.SoapSignatureError("token_refused")
    return TokenReference("issuer_serial", issuer=issuer, serial=int(serial))


def _is_named(reference: TokenReference, der: bytes) -> bool:
    match reference.kind:
        case "thumbprint":
            # an identifier that the profile prescribes, among certificates that are known: no security rests on it
            return sha1(der, usedforsecurity=False).digest() == reference.value
        case "subject_key":
            return _subject_key(der) == reference.value
        case "issuer_serial":
            certificate = x509.load_der_x509_certificate(der)
            return certificate.serial_number == reference.serial and certificate.issuer == _name(reference.issuer)
        case "token":
            return der == reference.value


def _subject_key(der: bytes) -> bytes | None:
    extensions = x509.load_der_x509_certificate(der).extensions
    try:
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _name(text: str) -> x509.Name | None:
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError:
        return None
