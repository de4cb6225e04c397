"""Whether its issuer has revoked a certificate, by revocation lists and OCSP responses alike.

Stricter than the RFCs where they leave a choice: see certs.said, certs.lists and certs.answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certs.answers import Answer, answers_say
from certs.lists import RevocationList, lists_say
from certs.said import Status, judge

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cryptography import x509


@dataclass(frozen=True, slots=True)
class StatusSources:
    """All that an organisation gave us to tell of revocation."""

    lists: tuple[RevocationList, ...]
    answers: tuple[Answer, ...]


def status_of(
    certificate: x509.Certificate, issuer: x509.Certificate, sources: StatusSources, *, at: datetime, grace: timedelta
) -> Status:
    """What the issuer says of its certificate at a moment; raises CertificateRefusedError (certs.said.judge)."""
    said = [
        *lists_say(certificate, issuer, sources.lists, at),
        *answers_say(certificate, issuer, sources.answers, sources.lists, at),
    ]
    return judge(said, at, grace)
