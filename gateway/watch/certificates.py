"""Every certificate and revocation list that a gateway lives by, and how long each still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from certs.paths import UNREADABLE
from certs.revocation import load_crl
from gateway.watch.facts import CertificateFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from gateway.settings import Folders

_OURS = ("tls-server", "tls-client", "signing")
_DAY = 86400.0


def certificates(folders: Folders, authorities: Mapping[str, str], at: datetime) -> tuple[CertificateFacts, ...]:
    """All of them, the first to end first; a file that cannot be read ended long ago.

    Args:
        folders: where ours, the signers' and the lists lie.
        authorities: the policy's certificate authorities, PEM, by their name.
        at: the present.
    """
    found = [*_own(folders, at), *_signers(folders.signers, at), *_authorities(authorities, at)]
    found += _lists(folders.revocation, at)
    return tuple(sorted(found, key=lambda item: item.days))


def _own(folders: Folders, at: datetime) -> Iterator[CertificateFacts]:
    for name in _OURS:
        for certificate in _read(folders.keys / f"{name}.pem"):
            yield _facts("ours", name, certificate, at, ours=True)


def _signers(folder: Path, at: datetime) -> Iterator[CertificateFacts]:
    for path in sorted(folder.glob("*.pem")):
        for certificate in _read(path):
            yield _facts("signer", path.stem, certificate, at, ours=False)


def _authorities(authorities: Mapping[str, str], at: datetime) -> Iterator[CertificateFacts]:
    for name, pem in authorities.items():
        yield _facts("authority", name, _parsed(pem.encode()), at, ours=False)


def _lists(folder: Path, at: datetime) -> Iterator[CertificateFacts]:
    for path in sorted(folder.glob("*.crl")):
        try:
            der = load_crl(path.read_bytes())
        except OSError:
            der = None
        until = None if der is None else x509.load_der_x509_crl(der).next_update_utc
        yield _until("list", path.stem, until, at, ours=True)


def _read(path: Path) -> Iterator[x509.Certificate | None]:
    """The first certificate in a file, which is the one that it is named after; None if there is none."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    yield _parsed(content)


def _parsed(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except UNREADABLE:
        return None


def _facts(kind: str, name: str, certificate: x509.Certificate | None, at: datetime, *, ours: bool) -> CertificateFacts:
    return _until(kind, name, None if certificate is None else certificate.not_valid_after_utc, at, ours=ours)


def _until(kind: str, name: str, until: datetime | None, at: datetime, *, ours: bool) -> CertificateFacts:
    if until is None:
        return CertificateFacts(kind, name, "", -1.0, ours)
    days = (until - at).total_seconds() / _DAY
    return CertificateFacts(kind, name, until.isoformat(), round(days, 2), ours)
