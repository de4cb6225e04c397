"""The three certificate profiles, and what makes a certificate unfit for one (DESIGN S6).

A TLS key and a signing key are told apart by their extended key usage, and never stand in for each other.
"""

from __future__ import annotations

from enum import Enum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from certs.signatures import is_strong

#: id-kp-documentSigning, RFC 9336: a key that signs messages, and nothing of TLS.
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")

_SMALLEST_RSA = 3072
_CURVES = ("secp256r1", "secp384r1")


class CertificateRefusedError(Exception):
    """A certificate is not acceptable; ``reason`` is a stable word (``expired``, ``revoked``, ...)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Profile(Enum):
    """What a certificate is for; the value is its only extended key usage."""

    TLS_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    TLS_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SIGNING = DOCUMENT_SIGNING


def check_profile(certificate: x509.Certificate, profile: Profile) -> None:
    """Raises CertificateRefusedError unless the certificate has this profile, exactly.

    Reasons: ``wrong_eku``, ``wrong_key_usage``, ``is_authority``, ``weak_key``.
    """
    extensions = certificate.extensions
    try:
        usages = list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        key_usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise CertificateRefusedError("wrong_eku") from None
    if usages != [profile.value]:
        raise CertificateRefusedError("wrong_eku")
    if not key_usage.digital_signature or (profile is Profile.SIGNING) != key_usage.content_commitment:
        raise CertificateRefusedError("wrong_key_usage")
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise CertificateRefusedError("is_authority")
    except x509.ExtensionNotFound:
        pass
    _check_key(certificate)


def check_authority(certificate: x509.Certificate) -> None:
    """Raises CertificateRefusedError (``weak_key``) unless an authority's key is at least as strong as a leaf's."""
    _check_key(certificate, (*_CURVES, "secp521r1"))


def check_signature(certificate: x509.Certificate) -> None:
    """Raises CertificateRefusedError (``weak_signature``) for a certificate signed over SHA-1 or the like."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        raise CertificateRefusedError("weak_signature") from None
    if not is_strong(algorithm, certificate.signature_algorithm_oid):
        raise CertificateRefusedError("weak_signature")


def _check_key(certificate: x509.Certificate, curves: tuple[str, ...] = _CURVES) -> None:
    key = certificate.public_key()
    strong = (
        isinstance(key, ed25519.Ed25519PublicKey)
        or (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves)
        or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA)
    )
    if not strong:
        raise CertificateRefusedError("weak_key")


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names of the subject alternative name in lower case; empty where there is none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
