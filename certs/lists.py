"""Revocation lists (RFC 5280, section 5): whether one is its issuer's, and what it says of a certificate.

Delta, indirect and partial lists, and lists without a next update, show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509

from certs.said import SKEW, UNREADABLE, Said
from certs.signatures import is_strong, list_holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A revocation list and the hex SHA-256 of its DER."""

    parsed: x509.CertificateRevocationList = field(repr=False)
    sha256: str

    @classmethod
    def read(cls, der: bytes) -> RevocationList | None:
        """The list; None for bytes that are none."""
        try:
            parsed = x509.load_der_x509_crl(der)
            _ = parsed.extensions, parsed.next_update_utc, parsed.signature_hash_algorithm  # all that is read later
        except UNREADABLE:
            return None
        return cls(parsed, sha256(der).hexdigest())


def lists_say(
    certificate: x509.Certificate, issuer: x509.Certificate, lists: Iterable[RevocationList], at: datetime
) -> Iterator[Said]:
    """What each list of the issuer's that covers the certificate says of it."""
    for item in lists:
        crl, ends = item.parsed, item.parsed.next_update_utc
        if ends is None or crl.last_update_utc > at + SKEW:
            continue
        if is_list_of(crl, issuer) and is_whole(crl) and covers(crl, certificate):
            entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            yield Said(frozenset({item.sha256}), ends, revoked=entry is not None)


def is_list_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether this very authority signed the list, and may."""
    if crl.issuer != issuer.subject or not is_strong(crl.signature_hash_algorithm, crl.signature_algorithm_oid):
        return False
    try:
        if not issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
            return False
    except x509.ExtensionNotFound:
        pass
    return list_holds(crl, issuer.public_key())


def is_whole(crl: x509.CertificateRevocationList) -> bool:
    """Whether a list is no delta, not indirect, for all reasons, and has no critical extension that we do not know."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return False
        if isinstance(value, x509.IssuingDistributionPoint):
            partial = value.only_contains_attribute_certs or value.only_some_reasons or value.relative_name
            if value.indirect_crl or partial:
                return False
        elif extension.critical:
            return False
    return True


def covers(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether a whole list is of a scope in which the certificate lies."""
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    if scope.only_contains_user_certs if is_authority(certificate) else scope.only_contains_ca_certs:
        return False
    return not scope.full_name or not set(scope.full_name).isdisjoint(_points(certificate))


def _points(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        yield from point.full_name or ()


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate has the flag of an authority."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
