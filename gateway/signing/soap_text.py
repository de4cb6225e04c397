"""Blocks of a SOAP message written as text, in canonical form from the start: nothing is parsed or canonicalised after.

Each is written as exclusive canonicalisation would write it: namespace declarations by prefix, then attributes without
a namespace, then those with one; no empty-element tags.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gateway.signing import soap_names as n

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Version(NamedTuple):
    """A version of SOAP as it is written: the prefix that its parts have, and its namespace."""

    prefix: str
    namespace: str


_KEY_INFO = (
    "<ds:KeyInfo><wsse:SecurityTokenReference>"
    f'<wsse:Reference URI="#id-Token" ValueType="{n.X509V3}"></wsse:Reference>'
    "</wsse:SecurityTokenReference></ds:KeyInfo>"
)
#: As requests to upstreams are written.
_SENT = Version("soapenv", n.SOAP)
#: Prefixes that the parts around a payload have; one that declares them too is not canonical inside a Body.
TAKEN = (b'xmlns:soapenv="', b'xmlns:wsu="')


def block(prefix: str, namespace: str, name: str, text: str) -> bytes:
    """A header block with its wsu:Id, ``id-NAME``; ``text`` without a carriage return."""
    names = f'xmlns:{prefix}="{namespace}" xmlns:wsu="{n.WSU}"'
    written = escape(text, quote=False)
    return f'<{prefix}:{name} {names} wsu:Id="id-{name}">{written}</{prefix}:{name}>'.encode()


def timestamp(created: datetime, expires: datetime) -> bytes:
    """A Timestamp in milliseconds, UTC."""
    begin, end = (f"{one:%Y-%m-%dT%H:%M:%S}.{one.microsecond // 1000:03}Z" for one in (created, expires))
    return (
        f'<wsu:Timestamp xmlns:wsu="{n.WSU}" wsu:Id="id-Timestamp">'
        f"<wsu:Created>{begin}</wsu:Created><wsu:Expires>{end}</wsu:Expires></wsu:Timestamp>"
    ).encode()


def confirmation(signature: bytes) -> bytes:
    """The SignatureConfirmation of a request's raw signature."""
    value = b64encode(signature).decode()
    return (
        f'<wsse11:SignatureConfirmation xmlns:wsse11="{n.WSSE11}" xmlns:wsu="{n.WSU}" Value="{value}" '
        'wsu:Id="id-SignatureConfirmation"></wsse11:SignatureConfirmation>'
    ).encode()


def body(payload: bytes, soap: Version = _SENT) -> bytes:
    """A Body around a payload in exclusive canonical form, which declares no prefix of ``TAKEN`` or of the version."""
    prefix, namespace = soap
    opening = f'<{prefix}:Body xmlns:{prefix}="{namespace}" xmlns:wsu="{n.WSU}" wsu:Id="id-Body">'
    return opening.encode() + payload + f"</{prefix}:Body>".encode()


def bare(whole_body: bytes) -> bytes:
    """A message of SOAP 1.1 that is a Body alone."""
    return f'<soapenv:Envelope xmlns:soapenv="{n.SOAP}">'.encode() + whole_body + b"</soapenv:Envelope>"


def envelope(
    headers: Iterable[bytes],
    in_security: Iterable[bytes],
    signed_info: bytes,
    signature: bytes,
    certificate: bytes,
    whole_body: bytes,
    soap: Version = _SENT,
) -> bytes:
    """The message out of its parts, ``in_security`` Timestamp and SignatureConfirmation.

    The certificate (DER) goes along as a BinarySecurityToken.
    """
    prefix, namespace = soap
    token = (
        f'<wsse:BinarySecurityToken xmlns:wsu="{n.WSU}" EncodingType="{n.BASE64}" ValueType="{n.X509V3}" '
        f'wsu:Id="id-Token">{b64encode(certificate).decode()}</wsse:BinarySecurityToken>'
    )
    value = f"<ds:SignatureValue>{b64encode(signature).decode()}</ds:SignatureValue>"
    return b"".join(
        (
            f'<{prefix}:Envelope xmlns:{prefix}="{namespace}"><{prefix}:Header>'.encode(),
            *headers,
            f'<wsse:Security xmlns:wsse="{n.WSSE}" {prefix}:mustUnderstand="1">{token}'.encode(),
            *in_security,
            f'<ds:Signature xmlns:ds="{n.DS}">'.encode(),
            signed_info,
            f"{value}{_KEY_INFO}</ds:Signature></wsse:Security></{prefix}:Header>".encode(),
            whole_body,
            f"</{prefix}:Envelope>".encode(),
        )
    )
