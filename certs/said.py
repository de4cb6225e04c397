"""What is said of one certificate's revocation, and what it comes to.

Everything authentic that we hold is heard, and one voice that revokes is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from certs.profiles import CertificateRefusedError

#: What the parsers raise of bytes that are no certificate, list or answer that they know how to read.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
#: An authority's clock may be so far ahead of ours.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Status:
    """A certificate that is not revoked.

    Attributes:
        used: hex SHA-256 of each list and response that was heard.
        until: when the first of them goes stale; where none is fresh, the end of the grace.
        stale_since: when the freshest went stale; None where one is fresh.
    """

    used: frozenset[str]
    until: datetime
    stale_since: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """What one authentic list or response says of one certificate, until its next update.

    Attributes:
        revoked: from whatever moment on (RFC 5280, 6.3.3): with a clock ahead of ours, that moment has not come yet.
    """

    used: frozenset[str]
    ends: datetime
    revoked: bool = False
    unknown: bool = False


def judge(said: list[Said], at: datetime, grace: timedelta) -> Status:
    """What all that was said comes to at a moment.

    Raises CertificateRefusedError: ``revoked``, ``unknown_to_its_issuer`` (the OCSP status), ``crl_stale`` past the
    grace, ``crl_missing`` where nothing authentic speaks.
    """
    if any(item.revoked for item in said):
        raise CertificateRefusedError("revoked")
    if any(item.unknown for item in said):
        raise CertificateRefusedError("unknown_to_its_issuer")
    if not said:
        raise CertificateRefusedError("crl_missing")
    fresh = [item for item in said if at < item.ends]
    latest = max(item.ends for item in said)
    if not fresh and at >= latest + grace:
        raise CertificateRefusedError("crl_stale")
    ends = [item.ends for item in fresh] or [latest + grace]
    return Status(frozenset[str]().union(*(item.used for item in said)), min(ends), None if fresh else latest)
