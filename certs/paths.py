"""Whether a certificate leads to an authority that we trust, at a moment, with nothing on it revoked.

The path itself is judged by pyhanko-certvalidator (RFC 5280); revocation data is required and must be fresh.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from asn1crypto import x509 as asn1_x509  # only the type that the validator asks for
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from pyhanko_certvalidator import CertificateValidator, ValidationContext, errors

from certs.profiles import CertificateRefusedError, Profile, check_profile

if TYPE_CHECKING:
    from collections.abc import Iterable


#: What the parsers raise of bytes that are no certificate or list that they know how to read.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True)
class Authority:
    """One organisation's trust: its roots, its issuing CAs and their revocation lists, all DER."""

    name: str
    roots: tuple[bytes, ...] = field(repr=False)
    intermediates: tuple[bytes, ...] = field(repr=False)
    crls: tuple[bytes, ...] = field(repr=False)

    @cached_property
    def fresh_until(self) -> datetime:
        """When the first of its revocation lists goes stale; the distant past when it has none."""
        dates = [x509.load_der_x509_crl(crl).next_update_utc for crl in self.crls]
        known = [date for date in dates if date is not None]
        return min(known) if known and len(known) == len(dates) else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Vetted:
    """A certificate that was found valid, and all that showed it; hex SHA-256 of each DER.

    Attributes:
        sha256: of the certificate itself.
        chain: of the certificates above it, issuer first, the root last.
        revocation: of the revocation lists used.
        until: the verdict may be kept until then, while the authority stays what it is.
    """

    sha256: str
    chain: tuple[str, ...]
    revocation: tuple[str, ...]
    until: datetime


def fingerprint(der: bytes) -> str:
    """Hex SHA-256, by which evidence and ``objects/`` name a certificate."""
    return sha256(der).hexdigest()


def vet(certificate: bytes, profile: Profile, authority: Authority, at: datetime) -> Vetted:
    """The verdict on a certificate (DER) at a moment.

    Raises CertificateRefusedError with reason ``malformed``, ``expired``, ``not_yet_valid``, ``revoked``,
    ``crl_stale``, ``wrong_authority``, or one of ``check_profile``.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        check_profile(parsed, profile)
    except UNREADABLE:
        raise CertificateRefusedError("malformed") from None
    if at >= parsed.not_valid_after_utc:
        raise CertificateRefusedError("expired")
    if at < parsed.not_valid_before_utc:
        raise CertificateRefusedError("not_yet_valid")
    # The path first: that a list is stale says nothing of a certificate that this authority never issued.
    chain = asyncio.run(_path(certificate, authority, at))
    if at >= authority.fresh_until:
        raise CertificateRefusedError("crl_stale")
    above = (der for der in (*authority.intermediates, *authority.roots) if fingerprint(der) in chain)
    ends = [x509.load_der_x509_certificate(der).not_valid_after_utc for der in above]
    return Vetted(
        sha256=fingerprint(certificate),
        chain=chain,
        revocation=tuple(fingerprint(crl) for crl in authority.crls),
        until=min(parsed.not_valid_after_utc, authority.fresh_until, *ends),
    )


async def _path(certificate: bytes, authority: Authority, at: datetime) -> tuple[str, ...]:
    try:
        context = ValidationContext(
            trust_roots=[asn1_x509.Certificate.load(der) for der in authority.roots],
            other_certs=[asn1_x509.Certificate.load(der) for der in authority.intermediates],
            crls=list(authority.crls),
            revocation_mode="require",
            moment=at,
            time_tolerance=timedelta(0),
            allow_fetching=False,
        )
        validator = CertificateValidator(asn1_x509.Certificate.load(certificate), validation_context=context)
        path = await validator.async_validate_path()
    except errors.RevokedError:
        raise CertificateRefusedError("revoked") from None
    except errors.InsufficientRevinfoError:
        raise CertificateRefusedError("crl_stale") from None
    except (errors.PathError, errors.ValidationError, ValueError, TypeError, OSError):
        # ValueError: "require" with nothing to check it by (FACTS); whatever the parser says, it is a refusal.
        raise CertificateRefusedError("wrong_authority") from None
    return tuple(_issuers(path, certificate))


def _issuers(path: Iterable[asn1_x509.Certificate], certificate: bytes) -> Iterable[str]:
    ders = [item.dump() for item in path]
    return (fingerprint(der) for der in reversed(ders) if der != certificate)
