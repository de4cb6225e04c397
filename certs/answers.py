"""OCSP responses (RFC 6960): whether one is authentic, and what it says of a certificate.

Responses without a next update show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.lists import RevocationList, is_authority, lists_say
from certs.profiles import CertificateRefusedError, check_authority, check_signature
from certs.said import SKEW, UNREADABLE, Said, Status, judge
from certs.signatures import holds, is_strong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Lists = tuple[RevocationList, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful OCSP response and the hex SHA-256 of its DER."""

    parsed: ocsp.OCSPResponse = field(repr=False)
    singles: tuple[ocsp.OCSPSingleResponse, ...] = field(repr=False)
    sha256: str

    @classmethod
    def read(cls, der: bytes) -> Answer | None:
        """The response; None for bytes that are none, and for a responder's error."""
        try:
            parsed = ocsp.load_der_ocsp_response(der)
            if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            singles = tuple(parsed.responses)
            _ = parsed.extensions, parsed.signature_hash_algorithm, [single.hash_algorithm for single in singles]
            _ = parsed.certificates
        except UNREADABLE:
            return None
        return cls(parsed, singles, sha256(der).hexdigest())


def answers_say(
    certificate: x509.Certificate, issuer: x509.Certificate, answers: Iterable[Answer], lists: _Lists, at: datetime
) -> Iterator[Said]:
    """What each authentic response says of the certificate; ``lists`` tell of responders that may be revoked."""
    for item in answers:
        for single in item.singles:
            ends = single.next_update_utc
            if ends is None or single.this_update_utc > at + SKEW or not concerns(single, certificate, issuer):
                continue
            authentic = _authentic(item, issuer, lists, at)
            if authentic is not None:
                status, used = single.certificate_status, authentic.used | {item.sha256}
                yield Said(
                    used,
                    min(ends, authentic.until),
                    revoked=status is ocsp.OCSPCertStatus.REVOKED,
                    unknown=status is ocsp.OCSPCertStatus.UNKNOWN,
                )


def concerns(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a response is about this certificate: its serial number, its issuer's name and key (RFC 6960, 4.1.1)."""
    if single.serial_number != certificate.serial_number:
        return False
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm)
    asked = builder.build()
    return (single.issuer_name_hash, single.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash)


def _authentic(answer: Answer, issuer: x509.Certificate, lists: _Lists, at: datetime) -> Status | None:
    """By what and until when the issuer's signature holds, or a responder's that it certified (RFC 6960, 4.2.2.2)."""
    response = answer.parsed
    if any(extension.critical for extension in response.extensions):
        return None
    if not is_strong(response.signature_hash_algorithm, response.signature_algorithm_oid):
        return None
    if _signed_by(response, issuer):
        return Status(frozenset(), issuer.not_valid_after_utc, None)
    for responder in response.certificates:
        if _signed_by(response, responder):
            return _responder_status(responder, issuer, lists, at)
    return None


def is_answer_of(answer: Answer, issuer: x509.Certificate, lists: _Lists, at: datetime) -> bool:
    """Whether a response is authentic at a moment; ``lists`` tell of a responder that may itself be revoked."""
    return _authentic(answer, issuer, lists, at) is not None


def _signed_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    try:
        key = signer.public_key()
    except UNREADABLE:
        return False
    return holds(
        key,
        response.signature,
        response.tbs_response_bytes,
        response.signature_hash_algorithm,
        response.signature_algorithm_oid,
    )


def _responder_status(
    responder: x509.Certificate, issuer: x509.Certificate, lists: _Lists, at: datetime
) -> Status | None:
    """None unless the issuer certified this responder, for answers, and it is not revoked."""
    ends = responder.not_valid_after_utc
    if not _may_answer(responder, issuer) or not responder.not_valid_before_utc <= at < ends:
        return None
    try:
        responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except x509.ExtensionNotFound:
        # Nothing says that it is above being revoked, so a list must clear it; an answer of its own would not.
        try:
            cleared = judge(list(lists_say(responder, issuer, lists, at)), at, timedelta(0))
        except CertificateRefusedError:
            return None
        return Status(cleared.used, min(cleared.until, ends), None)
    return Status(frozenset(), ends, None)


def _may_answer(responder: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        responder.verify_directly_issued_by(issuer)
        usages = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        check_authority(responder)
        check_signature(responder)
    except (x509.ExtensionNotFound, InvalidSignature, CertificateRefusedError, *UNREADABLE):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usages and not is_authority(responder)
