"""An envelope that a party kept, byte for byte: its Body is what was signed, if its canonical form has that digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gateway.audit.soap_blocks import as_content_digest
from gateway.signing.digest import content_digest
from gateway.signing.soap_info import canonical_form, read_signed_info
from gateway.signing.soap_names import SOAP_11, SOAP_12, SoapSignatureError
from gateway.signing.xml import XmlLimits, XmlRefusedError, parse

if TYPE_CHECKING:
    from lxml import etree

    from gateway.audit.evidence_schema import MessagePart, SoapRequestPart
    from gateway.signing.soap_info import Reference

#: As much as any contract may answer, and an envelope around it.
LIMITS = XmlLimits(size=1 << 25, depth=64, elements=2_000_000, attributes=64)
_FORMS: tuple[tuple[Literal["soap11", "soap12"], str, str, str], ...] = (
    ("soap11", SOAP_11.envelope, SOAP_11.header, SOAP_11.body),
    ("soap12", SOAP_12.envelope, SOAP_12.header, SOAP_12.body),
)


@dataclass(frozen=True, slots=True)
class KeptEnvelope:
    """An envelope in its parts; nothing of it is believed.

    Attributes:
        form: its version of SOAP.
        body: the Body.
        payload: the one element in it.
    """

    form: Literal["soap11", "soap12"]
    body: etree._Element = field(repr=False)
    payload: etree._Element = field(repr=False)

    def digest(self, prefixes: tuple[str, ...] = ()) -> str | None:
        """``sha-256=:base64:`` of the canonical Body; None where it has none.

        ``prefixes`` are those that its reference names.
        """
        try:
            return content_digest(canonical_form(self.body, prefixes))
        except SoapSignatureError:
            return None


def read_envelope(data: bytes) -> KeptEnvelope | None:
    """The envelope in these bytes; None where they are none."""
    try:
        root = parse(data, LIMITS)
    except XmlRefusedError:
        return None
    for form, envelope, header, body in _FORMS:
        # without a Header it is a message of a system that signs nothing; what was signed of it is the Body
        parts = [child.tag for child in root]
        if root.tag == envelope and parts in ([header, body], [body]) and len(root[-1]) == 1:
            return KeptEnvelope(form, root[-1], root[-1][0])
    return None


def body_reference(part: MessagePart) -> Reference | None:
    """The reference to the Body, the only one of no kept block; None where evidence has no such message."""
    try:
        references = read_signed_info(part.signed_info).references
    except SoapSignatureError:
        return None
    bodies = [reference for name, reference in references.items() if name not in part.headers]
    return bodies[0] if len(bodies) == 1 else None


def kept_request(data: bytes, request: SoapRequestPart) -> KeptEnvelope | None:
    """The envelope whose Body this caller signed; None where these bytes are another, or evidence is no request."""
    kept, signed = read_envelope(data), body_reference(request)
    if kept is None or kept.form != request.form or signed is None:
        return None
    return kept if kept.digest(signed.prefixes) == as_content_digest(signed.digest) else None


def kept_answer(data: bytes, content_digest: str) -> KeptEnvelope | None:
    """The envelope whose Body the gateway answered; None where these bytes are another."""
    kept = read_envelope(data)
    return kept if kept is not None and kept.digest() == content_digest else None
