"""`passerelle keys import`: a certificate from an authority, taken only if it is what our callers will accept (S6)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.files import write_public
from certs.paths import Authority, fingerprint, vet
from certs.profiles import CertificateRefusedError, dns_names
from certs.revocation import RevocationFolder
from gateway.cli.common import compose, settings_of
from gateway.cli.keys import PROFILES, certified_kind
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.certificates import spki

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.composition import Composition

FORMER = "former"


def take(output: Output, config: Path | None, name: str, file: Path) -> None:
    """Puts a certificate (PEM, with what leads to the root behind it) in its key's place, and keeps the former.

    The next generation of a key comes into use when its certificate begins, if that is still to come; else with
    `keys activate`. Raises KeystoreError or ConfigurationError for a certificate that is of another key, profile,
    authority or name.
    """
    _, settings = settings_of(config)
    base = compose(settings)
    kind = certified_kind(base, name)
    chain = _read(file)
    certificate, now = chain[0], base.clock.now()
    _check(base, name, kind, certificate, now)
    path = settings.folders.keys / f"{name}.pem"
    former = _replace(path, b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    generation = next(one for one in base.generations.all(kind) if one.name == name)
    begins = certificate.not_valid_before_utc
    scheduled = generation.since is None and begins > now
    if scheduled:
        base.generations.activate(kind, generation.number, begins)
    output.result(
        {
            "name": name,
            "sha256": fingerprint(certificate.public_bytes(Encoding.DER)),
            "subject": certificate.subject.rfc4514_string(),
            "until": certificate.not_valid_after_utc.isoformat(),
            "in_use_from": begins.isoformat() if scheduled else None,
            "former": former,
        }
    )
    output.say("keys.imported", name=name, subject=certificate.subject.rfc4514_string(), path=path)
    if former is not None:
        output.say("keys.former", path=former)
    if scheduled:
        output.say("keys.begins", name=name, at=begins.isoformat())
    elif generation.since is None:
        output.say("keys.activate_next", name=name)


def _read(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=file, detail=error.strerror) from None
    except ValueError:
        raise KeystoreError("certificate_missing", path=file) from None


def _check(base: Composition, name: str, kind: str, certificate: x509.Certificate, now: datetime) -> None:
    store = base.keys.open_one(name)
    try:
        public_key = store.public_key(name)
    finally:
        store.close()
    if spki(certificate) != public_key:
        raise KeystoreError("certificate_of_another_key", path=name)
    party = base.bundle.parties[base.bundle.gateway]
    known = base.bundle.authorities[party.authority]
    revocation = RevocationFolder(base.settings.folders.revocation, base.clock.monotonic)
    authority = Authority(
        party.authority,
        tuple(map(_der, known.roots)),
        tuple(map(_der, known.intermediates)),
        revocation.lists(base.bundle.gateway),
        revocation.answers(base.bundle.gateway),
    )
    # one that begins later is judged as of then
    at = max(now, certificate.not_valid_before_utc)
    try:
        vet(certificate.public_bytes(Encoding.DER), PROFILES[kind], authority, at)
    except CertificateRefusedError as refused:
        raise KeystoreError("certificate_refused", name=name, reason=refused.reason) from None
    wanted = set(party.names)
    if kind == "tls-server":
        wanted = {str(urlsplit(base.settings.listen.origin).hostname)}
    if wanted.isdisjoint(dns_names(certificate)):
        raise KeystoreError("certificate_of_another_name", name=name, known=", ".join(sorted(wanted)))


def _replace(path: Path, content: bytes) -> Path | None:
    """Writes the file as a whole, or not at all; gives where its former content is kept now."""
    former = None
    if path.exists():
        held = path.read_bytes()
        first = x509.load_pem_x509_certificate(held)
        former = path.parent / FORMER / f"{path.stem}.{fingerprint(first.public_bytes(Encoding.DER))[:16]}.pem"
        if not former.exists():
            write_public(former, held)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    write_public(temporary, content)
    temporary.replace(path)
    return former


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
