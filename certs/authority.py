"""A development authority in memory: a root, an issuing CA below it, their revocation lists.

For `passerelle init --dev` and for tests, which give each leaf its own usage, validity and revocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

_LEAF_DAYS = 397
_AUTHORITY_DAYS = 3650
_LIST_DAYS = 30
_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key; ``key_pem`` is PKCS #8, unencrypted."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class DevAuthority:
    """One organisation's development PKI, made anew each time."""

    def __init__(self, name: str, now: datetime) -> None:
        self.name = name
        self._now = now
        self.root = self._authority(f"{name} development root", None, path_length=1)
        self.issuing = self._authority(f"{name} development issuing CA", self.root, path_length=0)

    def _authority(self, text: str, above: Issued | None, path_length: int) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(text, key, above, self._now - _SKEW, self._now + timedelta(days=_AUTHORITY_DAYS))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        builder = builder.add_extension(_key_usage(authority=True, signing=False), critical=True)
        return Issued(builder.sign(above.key if above else key, hashes.SHA256()), key)

    def _builder(
        self,
        text: str,
        key: CertificateIssuerPrivateKeyTypes,
        above: Issued | None,
        not_before: datetime,
        not_after: datetime,
    ) -> x509.CertificateBuilder:
        issuer_key = above.key if above else key
        return (
            x509.CertificateBuilder()
            .subject_name(_name(text))
            .issuer_name(above.certificate.subject if above else _name(text))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )

    def issue(
        self,
        profile: Profile,
        names: Iterable[str],
        *,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Issued:
        """A leaf of this profile; P-256 and valid for 397 days unless said otherwise."""
        chosen = list(names)
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(
            chosen[0],
            key,
            self.issuing,
            not_before or self._now - _SKEW,
            not_after or self._now + timedelta(days=_LEAF_DAYS),
        )
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False, signing=profile is Profile.SIGNING), critical=True)
            .add_extension(x509.ExtendedKeyUsage([profile.value]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in chosen]), critical=False)
        )
        return Issued(builder.sign(self.issuing.key, hashes.SHA256()), key)

    def revocation_lists(
        self, revoked: Iterable[x509.Certificate] = (), *, at: datetime | None = None
    ) -> tuple[bytes, bytes]:
        """The root's and the issuing CA's lists in DER, good for 30 days from ``at``."""
        moment = at or self._now
        return self._list(self.root, (), moment), self._list(self.issuing, revoked, moment)

    def _list(self, issuer: Issued, revoked: Iterable[x509.Certificate], at: datetime) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(at - _SKEW)
            .next_update(at + timedelta(days=_LIST_DAYS))
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        )
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(at - _SKEW).build())
        return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _key_usage(*, authority: bool, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=signing,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
