"""What is to be fetched of revocation data, and what of it may take the place of what we have.

Nothing fetched is believed: it must be from the right issuer, about the right certificate, in date, and no older than
what stands in its place. Input and output are certs.fetch and certs.refresher.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from certs.answers import Answer, concerns, is_answer_of
from certs.lists import RevocationList, covers, is_list_of, is_whole
from certs.said import SKEW, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

_SCHEMES = ("http://", "https://")


class RefusedDataError(Exception):
    """What was fetched is not taken.

    ``reason`` is one of ``malformed``, ``wrong_issuer``, ``wrong_certificate``, ``not_a_whole_list``, ``stale``,
    ``from_the_future``, ``rollback``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Source:
    """One address that tells of revocation.

    Attributes:
        party: the organisation below whose authority it tells.
        url: http or https.
        issuer: DER of the authority that answers for it.
        certificate: DER of the one certificate that an OCSP responder is asked about; None for a list.
        named_by: DER of a certificate that names the address of a list, in whose scope it must then lie.
    """

    party: str
    url: str
    issuer: bytes = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    named_by: bytes = field(default=b"", repr=False, compare=False)

    @property
    def file(self) -> str:
        """The name under which it stands in the revocation folder, the same after every restart."""
        identity = sha256(b"\0".join((self.issuer, self.url.encode(), self.certificate or b""))).hexdigest()[:16]
        return f"{self.party}.{identity}.{'crl' if self.certificate is None else 'ocsp'}"

    def request(self) -> bytes | None:
        """The OCSP request in DER, to be posted; None where a list is to be got. Without a nonce: answers are kept."""
        if self.certificate is None:
            return None
        certificate, issuer = (x509.load_der_x509_certificate(der) for der in (self.certificate, self.issuer))
        # SHA-1 names the issuer here, and protects nothing: responders know no other (RFC 5019, 2.1.1)
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303  see above
        return builder.build().public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Revocation data (DER) that may be put in its place, and when its next update is due."""

    der: bytes = field(repr=False)
    until: datetime


def sources_of(party: str, certificates: Iterable[bytes], authorities: Iterable[bytes]) -> tuple[Source, ...]:
    """Where the status of these certificates is published, each address once; all DER.

    Lists are of every certificate of an issuer: those of TLS clients, which nobody knows beforehand, stand in them too.
    """
    issuers = [item for der in authorities if (item := _read(der)) is not None]
    found: dict[str, Source] = {}
    for der in certificates:
        certificate = _read(der)
        if certificate is None:
            continue
        for issuer in issuers:
            if _issued(certificate, issuer):
                for source in _named(party, der, certificate, issuer.public_bytes(Encoding.DER)):
                    found[source.file] = source
    return tuple(found.values())


def accept(
    source: Source, content: bytes, *, kept: bytes | None, lists: tuple[RevocationList, ...], at: datetime
) -> Accepted:
    """What was fetched, fit to replace ``kept`` (DER); raises RefusedDataError.

    ``lists`` are the organisation's, by which a responder may have been revoked itself.
    """
    if source.certificate is None:
        return _accept_list(source, content, kept, at)
    return _accept_answer(source, content, kept, lists, at)


def _accept_list(source: Source, content: bytes, kept: bytes | None, at: datetime) -> Accepted:
    der = _der_of_list(content)
    found = RevocationList.read(der)
    if found is None:
        raise RefusedDataError("malformed")
    if not is_list_of(found.parsed, x509.load_der_x509_certificate(source.issuer)):
        raise RefusedDataError("wrong_issuer")
    if not is_whole(found.parsed):
        raise RefusedDataError("not_a_whole_list")
    if not covers(found.parsed, x509.load_der_x509_certificate(source.named_by)):
        # the issuer's list of another scope has numbers of its own: in this place it would hold back every true one
        raise RefusedDataError("wrong_certificate")
    before = None if kept is None else RevocationList.read(kept)
    if before is not None and _order(found.parsed) < _order(before.parsed):
        raise RefusedDataError("rollback")
    return Accepted(der, _in_date(found.parsed.last_update_utc, found.parsed.next_update_utc, at))


def _accept_answer(
    source: Source, content: bytes, kept: bytes | None, lists: tuple[RevocationList, ...], at: datetime
) -> Accepted:
    found = Answer.read(content)
    if found is None:
        raise RefusedDataError("malformed")
    single = _about(found, source)
    if single is None:
        raise RefusedDataError("wrong_certificate")
    if not is_answer_of(found, x509.load_der_x509_certificate(source.issuer), lists, at):
        raise RefusedDataError("wrong_issuer")
    before = None if kept is None else Answer.read(kept)
    older = None if before is None else _about(before, source)
    if older is not None and single.this_update_utc < older.this_update_utc:
        raise RefusedDataError("rollback")
    return Accepted(content, _in_date(single.this_update_utc, single.next_update_utc, at))


def _in_date(since: datetime, until: datetime | None, at: datetime) -> datetime:
    if since > at + SKEW:
        raise RefusedDataError("from_the_future")
    if until is None or until <= at:
        raise RefusedDataError("stale")
    return until


def _order(crl: x509.CertificateRevocationList) -> tuple[int, datetime]:
    """A later list is above an earlier one: by its number (RFC 5280, 5.2.3), then by its date."""
    try:
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        number = 0
    return number, crl.last_update_utc


def _about(answer: Answer, source: Source) -> ocsp.OCSPSingleResponse | None:
    if source.certificate is None:
        return None
    certificate, issuer = (x509.load_der_x509_certificate(der) for der in (source.certificate, source.issuer))
    return next((single for single in answer.singles if concerns(single, certificate, issuer)), None)


def _der_of_list(content: bytes) -> bytes:
    """Some authorities publish PEM against the rule (RFC 5280, 4.2.1.13)."""
    if not content.startswith(b"-----"):
        return content
    try:
        return x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)
    except UNREADABLE:
        raise RefusedDataError("malformed") from None


def _read(der: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions
    except UNREADABLE:
        return None
    return certificate


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate == issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _named(party: str, der: bytes, certificate: x509.Certificate, issuer: bytes) -> Iterator[Source]:
    try:
        for point in certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value:
            # one address is enough: the others of a point hold the same list
            yield from [Source(party, url, issuer, named_by=der) for url in _addresses(point.full_name or ())][:1]
    except x509.ExtensionNotFound:
        pass
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return
    names = [item.access_location for item in access if item.access_method == AuthorityInformationAccessOID.OCSP]
    yield from [Source(party, url, issuer, der) for url in _addresses(names)][:1]


def _addresses(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(_SCHEMES):
            yield name.value
