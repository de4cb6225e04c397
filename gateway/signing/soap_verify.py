"""Strict verification of a signed SOAP message, over its bytes (DESIGN S4, section 10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.model import SignedPart
from gateway.signing import soap_names as n
from gateway.signing.soap_open import open_soap, proven
from gateway.signing.xml import DEFAULT_LIMITS, XmlLimits, XmlRefusedError, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lxml import etree

    from gateway.model import CertificateProof
    from gateway.ports import Clock
    from gateway.signing.soap_facts import SignedPartFacts

_SPAN = timedelta(minutes=5)
_SKEW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the message must be, besides sound; None where anything signed will do.

    Attributes:
        required: Clark names of the header blocks that must be signed (REQUEST_PARTS, ANSWER_PARTS).
        action: the Action.
        to: the To.
        relates_to: our request's MessageID.
        confirms: our request's signature value.
        soap: the version.
    """

    required: frozenset[str]
    action: str | None = None
    to: str | None = None
    relates_to: str | None = None
    confirms: bytes | None = field(default=None, repr=False)
    soap: n.Soap = n.SOAP_11


@dataclass(frozen=True, slots=True)
class VerifiedSoap:
    """A message whose signature held: the one child of the Body that was verified, and what was signed with it."""

    body: etree._Element = field(repr=False)
    part: SignedPart
    facts: SignedPartFacts


class SoapVerifier:
    """Verifies messages; ``vet`` says whether a certificate (DER) is the expected party's signing certificate.

    ``vet`` raises CertificateRefusedError or SoapSignatureError, and may keep its verdicts.
    """

    def __init__(
        self, vet: Callable[[bytes], CertificateProof], clock: Clock, limits: XmlLimits = DEFAULT_LIMITS
    ) -> None:
        self._vet = vet
        self._clock = clock
        self._limits = limits

    def verify(self, data: bytes, expected: Expected) -> VerifiedSoap:
        """The verified message.

        Raises:
            SoapSignatureError: with a reason of ``gateway.signing.xml.parse``, ``open_soap``, ``proven``, or
                ``token_refused``, ``not_covered``, ``timestamp_stale``, ``action_differs``, ``to_differs``,
                ``relates_to_differs``, ``confirmation_differs``.
            CertificateRefusedError: from ``vet``.
        """
        try:
            root = parse(data, self._limits)
        except XmlRefusedError as refused:
            raise n.SoapSignatureError(refused.reason) from None
        # 1. and 2. one of each, where it belongs; the certificate is sent along
        opened = open_soap(root, expected.soap)
        if opened.token.kind != "token":
            raise n.SoapSignatureError("token_refused")
        # 3. what the key signed, then whose key it is
        certificate = opened.token.value
        facts = proven(opened, certificate)
        proof = self._vet(certificate)
        # 4. all that must be signed, now, and for us
        if not expected.required <= facts.parts:
            raise n.SoapSignatureError("not_covered")
        check_fresh(facts, self._clock.now())
        _check_expected(facts, expected)
        part = SignedPart(signed_info=opened.info.data, signature=opened.signature, headers=opened.headers, key=proof)
        return VerifiedSoap(body=opened.payload, part=part, facts=facts)


def check_fresh(facts: SignedPartFacts, now: datetime) -> None:
    """Returns if the Timestamp spans five minutes at most, and now lies in it; raises SoapSignatureError."""
    created, expires = facts.created, facts.expires
    if created is None or expires is None or not timedelta(0) < expires - created <= _SPAN:
        raise n.SoapSignatureError("timestamp_stale")
    if created > now + _SKEW or expires < now - _SKEW:
        raise n.SoapSignatureError("timestamp_stale")


def _check_expected(facts: SignedPartFacts, expected: Expected) -> None:
    for wanted, found, reason in (
        (expected.action, facts.action, "action_differs"),
        (expected.to, facts.to, "to_differs"),
        (expected.relates_to, facts.relates_to, "relates_to_differs"),
        (expected.confirms, facts.confirmation, "confirmation_differs"),
    ):
        if wanted is not None and wanted != found:
            raise n.SoapSignatureError(reason)
