"""Every certificate and revocation list that a gateway lives by, and how long each still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from certs.paths import UNREADABLE
from certs.revocation import load_crl
from gateway.watch.facts import CertificateFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from gateway.settings import Folders

_OURS = ("tls-server", "tls-client", "signing")
_DAY = 86400.0


def certificates(folders: Folders, authorities: Mapping[str, str], at: datetime) -> tuple[CertificateFacts, ...]:
    """All of them, the first to end first; what cannot be read ended long ago, and so did a list that is missing.

    Args:
        folders: where ours, the signers' and the lists lie.
        authorities: the policy's certificate authorities, PEM, by their name.
        at: the present.
    """
    found = [*_own(folders, at), *_signers(folders.signers, at), *_authorities(authorities, at)]
    lists = {path.stem: _list(path) for path in sorted(folders.revocation.glob("*.crl"))}
    found += [
        _until("list", name, None if crl is None else crl.next_update_utc, at, ours=True) for name, crl in lists.items()
    ]
    found += [_until("list", name, None, at, ours=True) for name in _without_list(authorities, lists.values())]
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


def _list(path: Path) -> x509.CertificateRevocationList | None:
    try:
        der = load_crl(path.read_bytes())
    except OSError:
        return None
    return None if der is None else x509.load_der_x509_crl(der)


def _without_list(
    authorities: Mapping[str, str], lists: Iterable[x509.CertificateRevocationList | None]
) -> Iterator[str]:
    """The authorities of which there is no list: every certificate below them is refused."""
    issuers = {crl.issuer for crl in lists if crl is not None}
    for name, pem in authorities.items():
        certificate = _parsed(pem.encode())
        if certificate is not None and certificate.subject not in issuers:
            yield name


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
