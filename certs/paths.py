"""Whether a certificate leads to an authority that we trust, at a moment, with nothing on it revoked.

The path itself is judged by pyhanko-certvalidator (RFC 5280), revocation by certs.status: data on each certificate of
the path is required, and must be fresh, or stale for no longer than the grace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from asn1crypto import x509 as asn1_x509  # only the type that the validator asks for
from cryptography import x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext, errors

from certs.answers import Answer
from certs.lists import RevocationList
from certs.profiles import CertificateRefusedError, Profile, check_authority, check_profile, check_signature
from certs.said import UNREADABLE
from certs.status import StatusSources, status_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from certs.said import Status

T = TypeVar("T")

#: No certificate of ours or of a party comes near; a stranger's may not cost more.
LARGEST = 16 * 1024
_STALE_VERDICT = timedelta(hours=1)
#: What the validator's texts tell of, and our word for it; whatever else it says is ``path_invalid``.
_REASONS = (
    ("signature of", "wrong_authority"),
    ("namespace of the issuing authority", "name_constraints"),
    ("maximum path length", "path_length"),
    ("is not a CA", "not_an_authority"),
    ("not allowed to sign certificates", "not_an_authority"),
    ("unsupported critical extension", "unknown_critical_extension"),
)


@dataclass(frozen=True)
class Authority:
    """One organisation's trust: its roots, its issuing CAs, and what tells of revocation below them; all DER.

    Attributes:
        crls: revocation lists.
        ocsp: OCSP responses (RFC 6960), each whole.
        grace: for so long after its date, revocation data is accepted still, where there is nothing fresher.
    """

    name: str
    roots: tuple[bytes, ...] = field(repr=False)
    intermediates: tuple[bytes, ...] = field(repr=False)
    crls: tuple[bytes, ...] = field(repr=False)
    ocsp: tuple[bytes, ...] = field(default=(), repr=False)
    grace: timedelta = timedelta(0)

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The roots and the issuing CAs; raises one of ``UNREADABLE``."""
        return tuple(x509.load_der_x509_certificate(der) for der in (*self.roots, *self.intermediates))

    @cached_property
    def sources(self) -> StatusSources:
        """What tells of revocation, read once; what cannot be read is left out."""
        lists = (RevocationList.read(der) for der in self.crls)
        answers = (Answer.read(der) for der in self.ocsp)
        return StatusSources(
            tuple(item for item in lists if item is not None), tuple(item for item in answers if item is not None)
        )


@dataclass(frozen=True, slots=True)
class Vetted:
    """A certificate that was found valid, and all that showed it; hex SHA-256 of each DER.

    Attributes:
        sha256: of the certificate itself.
        chain: of the certificates above it, issuer first, the root last.
        revocation: of the revocation lists and OCSP responses used.
        until: the verdict may be kept until then, while the authority stays what it is.
        stale_since: since when a certificate of the path has nothing fresh to tell of it; None where all is fresh.
    """

    sha256: str
    chain: tuple[str, ...]
    revocation: tuple[str, ...]
    until: datetime
    stale_since: datetime | None = None


def fingerprint(der: bytes) -> str:
    """Hex SHA-256, by which evidence and ``objects/`` name a certificate."""
    return sha256(der).hexdigest()


def vet(certificate: bytes, profile: Profile, authority: Authority, at: datetime) -> Vetted:
    """The verdict on a certificate (DER) at a moment.

    Raises CertificateRefusedError with a reason of its own (``too_large``, ``malformed``, ``expired``,
    ``not_yet_valid``), of the path (``wrong_authority``, ``name_constraints``, ``path_length``, ``not_an_authority``,
    ``unknown_critical_extension``, ``authority_expired``, ``path_invalid``), of revocation (certs.said.judge), or of
    the key and the usage (``check_profile``, ``check_authority``, ``check_signature``).
    """
    parsed = _read(certificate, profile)
    if at >= parsed.not_valid_after_utc:
        raise CertificateRefusedError("expired")
    if at < parsed.not_valid_before_utc:
        raise CertificateRefusedError("not_yet_valid")
    # The path first: that a list is stale says nothing of a certificate that this authority never issued.
    ders = _path(certificate, parsed, authority, at)
    path = [x509.load_der_x509_certificate(der) for der in ders[:-1]] + [parsed]
    try:
        found = [_step(above, below, authority, at) for above, below in pairwise(path)]
    except UNREADABLE:
        raise CertificateRefusedError("malformed") from None  # an authority's own, which nobody has read till now
    used = frozenset[str]().union(*(item.used for item in found))
    since = min((item.stale_since for item in found if item.stale_since is not None), default=None)
    ends = [item.not_valid_after_utc for item in path] + [item.until for item in found]
    if since is not None:
        ends.append(at + _STALE_VERDICT)  # looked at again each hour, and told of again
    return Vetted(
        sha256=fingerprint(certificate),
        chain=tuple(fingerprint(der) for der in reversed(ders[:-1])),
        revocation=tuple(name for der in (*authority.crls, *authority.ocsp) if (name := fingerprint(der)) in used),
        until=min(ends),
        stale_since=since,
    )


def _step(above: x509.Certificate, below: x509.Certificate, authority: Authority, at: datetime) -> Status:
    """One step down from the root: what a weak or revoked authority says of those below it is worth nothing."""
    check_authority(above)
    check_signature(below)
    return status_of(below, above, authority.sources, at=at, grace=authority.grace)


def _read(certificate: bytes, profile: Profile) -> x509.Certificate:
    if len(certificate) > LARGEST:
        raise CertificateRefusedError("too_large")
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        check_profile(parsed, profile)
    except UNREADABLE:
        raise CertificateRefusedError("malformed") from None
    return parsed


def _path(certificate: bytes, parsed: x509.Certificate, authority: Authority, at: datetime) -> Sequence[bytes]:
    """DER of the path, root first."""
    try:
        if all(item.subject != parsed.issuer for item in authority.certificates):
            raise CertificateRefusedError("wrong_authority")  # most are another party's: told without the validator
        roots = [der for der, item in zip(authority.roots, authority.certificates, strict=False) if _holds(item, at)]
        if not roots:
            raise CertificateRefusedError("authority_expired")  # the validator looks at no root's dates
        context = ValidationContext(
            trust_roots=[asn1_x509.Certificate.load(der) for der in roots],
            other_certs=[asn1_x509.Certificate.load(der) for der in authority.intermediates],
            revocation_mode="none",  # certs.status judges it: here a good answer would outweigh a list that revokes
            moment=at,
            time_tolerance=timedelta(0),
            allow_fetching=False,
        )
        validator = CertificateValidator(asn1_x509.Certificate.load(certificate), validation_context=context)
        path = _at_once(validator.async_validate_path())
    except (errors.ExpiredError, errors.NotYetValidError):
        raise CertificateRefusedError("authority_expired") from None
    except errors.DisallowedAlgorithmError:
        raise CertificateRefusedError("weak_signature") from None
    except errors.PathValidationError as error:
        raise CertificateRefusedError(_reason(error)) from None
    except (errors.PathError, errors.ValidationError, OSError, *UNREADABLE):
        raise CertificateRefusedError("wrong_authority") from None
    return [item.dump() for item in path]


def _holds(authority: x509.Certificate, at: datetime) -> bool:
    return authority.not_valid_before_utc <= at < authority.not_valid_after_utc


def _reason(error: errors.PathValidationError) -> str:
    text = str(error)
    return next((reason for words, reason in _REASONS if words in text), "path_invalid")


def _at_once(coroutine: Coroutine[object, None, T]) -> T:
    """The result of a coroutine that waits for nothing: nothing is fetched, and a loop of its own costs more."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise OSError("the validator wanted to wait")
