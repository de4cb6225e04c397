"""Everything with an end that a gateway lives by, and how long each still holds: certificates, lists, the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.answers import Answer
from certs.revocation import load_crl
from certs.said import UNREADABLE
from gateway.watch.facts import CertificateFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from gateway.settings import Folders

_OURS = ("tls-server", "tls-client", "signing")
_DAY = 86400.0


def certificates(
    folders: Folders, authorities: Mapping[str, str], at: datetime, grace: timedelta
) -> tuple[CertificateFacts, ...]:
    """All of them, the first to end first; what cannot be read ended long ago, and so did a list that is missing.

    Args:
        folders: where ours, the signers' and the lists lie.
        authorities: the policy's certificate authorities, PEM, by their name.
        at: the present.
        grace: for so long after its end revocation data is accepted still.
    """
    found = [*_own(folders, at), *_signers(folders.signers, at), *_authorities(authorities, at)]
    found += _revocation(folders.revocation, authorities, at, grace)
    return tuple(sorted(found, key=lambda item: item.days))


def ends(named: Mapping[tuple[str, str], datetime], at: datetime) -> tuple[CertificateFacts, ...]:
    """What is no certificate and ends too, by kind (policy, agreement) and name."""
    return tuple(_until(kind, name, until, at, ours=kind == "policy") for (kind, name), until in named.items())


def _own(folders: Folders, at: datetime) -> Iterator[CertificateFacts]:
    for name in _OURS:
        yield _facts("ours", name, _read(folders.keys / f"{name}.pem"), at, ours=True)
        for path in sorted(folders.keys.glob(f"{name}-*.pem")):  # later generations
            yield _facts("ours", path.stem, _read(path), at, ours=True)


def _signers(folder: Path, at: datetime) -> Iterator[CertificateFacts]:
    for path in sorted(folder.glob("*.pem")):
        yield _facts("signer", path.stem, _read(path), at, ours=False)


def _authorities(authorities: Mapping[str, str], at: datetime) -> Iterator[CertificateFacts]:
    for name, pem in authorities.items():
        yield _facts("authority", name, _parsed(pem.encode()), at, ours=False)


def _revocation(
    folder: Path, authorities: Mapping[str, str], at: datetime, grace: timedelta
) -> Iterator[CertificateFacts]:
    """Lists, answers, and the authorities of which there is neither: every certificate below these is refused."""
    issuers = {name: _parsed(pem.encode()) for name, pem in authorities.items()}
    subjects = {certificate.subject for certificate in issuers.values() if certificate is not None}
    days = grace.total_seconds() / _DAY
    rows = [("list", path.stem, *_list(path)) for path in sorted(folder.glob("*.crl"))]
    fresh = {name for _, _, until, of in rows if until is not None and at < until for name in of}
    rows += [("answer", path.stem, *_answer(path, subjects)) for path in sorted(folder.glob("*.ocsp"))]
    told_of = {name for *_, of in rows for name in of}
    for kind, name, until, of in rows:
        # what went stale harms nobody while a list of the same issuer is fresh, or where the policy no longer names it
        if until is None or at < until or (of & subjects and not of & fresh):
            yield _until(kind, name, until, at, ours=True, grace_days=days)
    for name, certificate in issuers.items():
        if certificate is not None and certificate.subject not in told_of:
            yield _until("list", name, None, at, ours=True)


def _list(path: Path) -> tuple[datetime | None, set[x509.Name]]:
    """When a list goes stale, and whose it is."""
    try:
        der = load_crl(path.read_bytes())
    except OSError:
        der = None
    if der is None:
        return None, set()
    crl = x509.load_der_x509_crl(der)
    return crl.next_update_utc, {crl.issuer}


def _answer(path: Path, subjects: Iterable[x509.Name]) -> tuple[datetime | None, set[x509.Name]]:
    """The same of an OCSP answer, by the issuer's name alone: what is authentic is the workers' to judge."""
    try:
        answer = Answer.read(path.read_bytes())
    except OSError:
        answer = None
    singles = () if answer is None else answer.singles
    ends = [single.next_update_utc for single in singles if single.next_update_utc is not None]
    issuers = {
        subject
        for subject in subjects
        for single in singles
        if single.issuer_name_hash == _hash(subject.public_bytes(), single.hash_algorithm)
    }
    return min(ends, default=None), issuers


def _hash(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _read(path: Path) -> x509.Certificate | None:
    """The first certificate in a file, which is the one that it is named after; None if there is none."""
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _parsed(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except UNREADABLE:
        return None


def _facts(kind: str, name: str, certificate: x509.Certificate | None, at: datetime, *, ours: bool) -> CertificateFacts:
    return _until(kind, name, None if certificate is None else certificate.not_valid_after_utc, at, ours=ours)


def _until(
    kind: str, name: str, until: datetime | None, at: datetime, *, ours: bool, grace_days: float = 0.0
) -> CertificateFacts:
    if until is None:
        return CertificateFacts(kind, name, "", -1.0, ours)
    days = (until - at).total_seconds() / _DAY
    return CertificateFacts(kind, name, until.isoformat(), round(days, 2), ours, grace_days)
