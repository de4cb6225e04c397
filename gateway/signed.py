"""Certificates and signatures as they were verified: what a step knows of who signed what, and evidence keeps.

What lives here: values, a part of gateway.model, and imported from there.
What may not: behaviour, anything that names a room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CertificateProof:
    """A certificate that was found valid, with all that was used to find so; hex SHA-256 of each DER."""

    sha256: str
    chain: tuple[str, ...]
    revocation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """A caller's signature and the base that it covers (RFC 9421), both as verified.

    Attributes:
        label: the dictionary key in Signature and Signature-Input.
        parameters: the label's Signature-Input value as received (an inner list with parameters).
        base: the signature base, ASCII.
        value: the raw signature, decoded.
        algorithm: name in the RFC 9421 registry.
        nonce: the ``nonce`` parameter.
        created: the ``created`` parameter, seconds since 1970 UTC.
        key: the signing certificate.
    """

    label: str
    parameters: str
    base: bytes = field(repr=False)
    value: bytes = field(repr=False)
    algorithm: str
    nonce: str
    created: int
    key: CertificateProof

    @property
    def public(self) -> str:
        """What evidence keeps of the request in the clear, the nonce among it."""
        return self.base.decode("ascii")


@dataclass(frozen=True, slots=True)
class SignedPart:
    """What evidence keeps of one signed SOAP message: everything that was signed but the Body (L1).

    Attributes:
        signed_info: canonical bytes of SignedInfo.
        signature: SignatureValue, decoded (raw r||s for ECDSA).
        headers: canonical bytes of each signed header block, by its wsu:Id.
        key: the signing certificate.
    """

    signed_info: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    headers: Mapping[str, bytes] = field(repr=False)
    key: CertificateProof


@dataclass(frozen=True, slots=True)
class SoapSignature:
    """A caller's signature over its SOAP message (S4), as verified; guard and policy need not know the form.

    Attributes:
        part: what was signed, but for the Body.
        algorithm: name in the RFC 9421 registry.
        nonce: the MessageID.
        created: the Timestamp's begin, seconds since 1970 UTC.
        action: the Action, which is the SOAPAction.
        agreement, purpose: the header blocks Exchange-Agreement and Exchange-Purpose.
        body: the canonical Body; its digest is what the signature covers.
        idempotency_key: the header block Idempotency-Key, where there is one.
    """

    part: SignedPart
    algorithm: str
    nonce: str
    created: int
    action: str
    agreement: str
    purpose: str
    body: bytes = field(repr=False)
    idempotency_key: str | None = None

    @property
    def key(self) -> CertificateProof:
        """The signing certificate."""
        return self.part.key

    @property
    def value(self) -> bytes:
        """The raw signature."""
        return self.part.signature

    @property
    def public(self) -> str:
        """What evidence keeps of the request in the clear, the MessageID among it."""
        return b"\n".join((self.part.signed_info, *self.part.headers.values())).decode()


@dataclass(frozen=True, slots=True)
class RestPart:
    """What evidence keeps of one signed REST message between us and an upstream: its base, which holds no body.

    Attributes:
        base: the signature base (RFC 9421), ASCII.
        signature: raw, decoded.
        label: its dictionary key.
        parameters: its Signature-Input member.
        algorithm: name in the RFC 9421 registry.
        key: the signing certificate.
    """

    base: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    label: str
    parameters: str
    algorithm: str
    key: CertificateProof


@dataclass(frozen=True, slots=True)
class ApartPart:
    """A signed message that holds personal data and no salt (C5): evidence seals all that was signed of it apart.

    ``officers`` is their raw public key (gateway.ledger.sealing): whoever opens the evidence needs their private one.
    """

    part: SignedPart | RestPart
    officers: bytes = field(repr=False)

    @property
    def key(self) -> CertificateProof:
        """The signing certificate."""
        return self.part.key


@dataclass(frozen=True, slots=True)
class TlsPart:
    """What evidence keeps of an answer that its owner does not sign: whose connection it came over.

    ``key`` is the TLS server's certificate; ``content_digest`` the body's, None where it holds personal data and no
    salt (C4).
    """

    content_digest: str | None
    key: CertificateProof
