"""A development authority in memory: a root, an issuing CA below it, their revocation lists and OCSP answers.

For `passerelle init --dev` and for tests, which give each leaf its own usage, validity and revocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from certs.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

_LEAF_DAYS = 397
_AUTHORITY_DAYS = 3650
_LIST_DAYS = 30
_ANSWER_DAYS = 1
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

    def __init__(self, name: str, now: datetime, *, publishes: str | None = None, answers: str | None = None) -> None:
        """``publishes`` is the address of its lists (``root.crl``, ``issuing.crl``), ``answers`` its responder's."""
        self.name = name
        self._now = now
        self._publishes = publishes
        self._answers = answers
        self.root = self.subordinate(f"{name} development root", above=None, path_length=1)
        self.issuing = self.subordinate(f"{name} development issuing CA", above=self.root)

    def subordinate(
        self,
        text: str,
        *,
        above: Issued | None,
        path_length: int | None = 0,
        permitted: str | None = None,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        is_authority: bool = True,
        not_after: datetime | None = None,
    ) -> Issued:
        """An authority below another, or a root; ``permitted`` is the DNS name below which it may name anybody."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        ends = not_after or self._now + timedelta(days=_AUTHORITY_DAYS)
        builder = self._builder(text, key, above, self._now - _SKEW, ends)
        length = path_length if is_authority else None
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=length), critical=True)
        builder = builder.add_extension(_key_usage(authority=is_authority, signing=False), critical=True)
        if permitted is not None:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
        if above is not None:
            builder = self._with_addresses(builder, "root.crl")
        return Issued(builder.sign(above.key if above else key, hashes.SHA256()), key)

    def _with_addresses(self, builder: x509.CertificateBuilder, file: str) -> x509.CertificateBuilder:
        if self._publishes is not None:
            address = x509.UniformResourceIdentifier(f"{self._publishes}/{file}")
            point = x509.DistributionPoint([address], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        if self._answers is not None:
            method = x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(self._answers)
            )
            builder = builder.add_extension(x509.AuthorityInformationAccess([method]), critical=False)
        return builder

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
        above: Issued | None = None,
        more: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> Issued:
        """A leaf of this profile; P-256, valid for 397 days, below the issuing CA unless said otherwise.

        ``more`` are further extensions and whether each is critical.
        """
        chosen = list(names)
        key = key or ec.generate_private_key(ec.SECP256R1())
        above = above or self.issuing
        ends = not_after or self._now + timedelta(days=_LEAF_DAYS)
        builder = self._builder(chosen[0], key, above, not_before or self._now - _SKEW, ends)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False, signing=profile is Profile.SIGNING), critical=True)
            .add_extension(x509.ExtendedKeyUsage([profile.value]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in chosen]), critical=False)
        )
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        return Issued(self._with_addresses(builder, "issuing.crl").sign(above.key, hashes.SHA256()), key)

    def responder(self, *, above: Issued | None = None, checked: bool = False) -> Issued:
        """A key that may answer over OCSP for an authority; ``checked`` when it may itself be revoked."""
        above, key = above or self.issuing, ec.generate_private_key(ec.SECP256R1())
        ends = self._now + timedelta(days=_LIST_DAYS)
        builder = self._builder(f"{self.name} responder", key, above, self._now - _SKEW, ends).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=True
        )
        if not checked:
            builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        return Issued(builder.sign(above.key, hashes.SHA256()), key)

    def revocation_lists(
        self,
        revoked: Iterable[x509.Certificate] = (),
        *,
        at: datetime | None = None,
        number: int = 1,
        authorities: Iterable[x509.Certificate] = (),
    ) -> tuple[bytes, bytes]:
        """The root's and the issuing CA's lists in DER, good for 30 days from ``at``.

        ``revoked`` are leaves, ``authorities`` those that the root has revoked.
        """
        moment = at or self._now
        return (
            revocation_list(self.root, authorities, at=moment, number=number),
            revocation_list(self.issuing, revoked, at=moment, number=number),
        )

    def answer(
        self,
        certificate: x509.Certificate,
        *,
        says: Literal["good", "revoked", "unknown"] = "good",
        at: datetime | None = None,
        issuer: Issued | None = None,
        signer: Issued | None = None,
    ) -> bytes:
        """An OCSP response in DER, good for a day from ``at``; ``signer`` a responder, else the issuer itself."""
        moment, above = at or self._now, issuer or self.issuing
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=above.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus[says.upper()],
            this_update=moment - _SKEW,
            next_update=moment + timedelta(days=_ANSWER_DAYS),
            revocation_time=moment - _SKEW if says == "revoked" else None,
            revocation_reason=None,
        )
        by = signer or above
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        if signer is not None:
            builder = builder.certificates([signer.certificate])
        return builder.sign(_responding(by.key), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def revocation_list(
    issuer: Issued,
    revoked: Iterable[x509.Certificate] = (),
    *,
    at: datetime,
    number: int = 1,
    days: float = _LIST_DAYS,
    more: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """An authority's list in DER, from an hour before ``at``; ``more`` are extensions and whether each is critical."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at - _SKEW)
        .next_update(at + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(at - _SKEW).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _responding(key: CertificateIssuerPrivateKeyTypes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("the development responder's key is of an elliptic curve, or RSA")
    return key


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
