"""Certificate requests (PKCS #10) for an external authority, signed through the port (S6, S7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.raw import to_der

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certs.profiles import Profile
    from gateway.ports import Keystore


class BehindThePort(ec.EllipticCurvePrivateKey):
    """A P-256 key for the builders of ``cryptography``, which stays in its keystore."""

    def __init__(self, keystore: Keystore, name: str, public_key: bytes) -> None:
        """``public_key`` is SubjectPublicKeyInfo in DER; raises KeystoreError unless it is P-256."""
        loaded = load_der_public_key(public_key)
        if not isinstance(loaded, ec.EllipticCurvePublicKey) or loaded.curve.name != "secp256r1":
            raise KeystoreError("key_not_p256", name=name)
        self._keystore = keystore
        self._name = name
        self._public = loaded

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # type: ignore[override]  # bytes is all that the builders give
        """A signature in DER; raises KeystoreError."""
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            return self._never()
        return to_der(self._keystore.sign(self._name, data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """In bits."""
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Not with this key."""
        del algorithm, peer_public_key
        return self._never()

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        """No way out."""
        return self._never()

    def private_bytes(self, *_args: object, **_kwargs: object) -> bytes:
        """No way out."""
        return self._never()

    def __copy__(self) -> BehindThePort:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> BehindThePort:
        return self

    def _never(self) -> NoReturn:
        raise KeystoreError("key_not_here", name=self._name)


def certificate_request(
    keystore: Keystore, name: str, public_key: bytes, *, profile: Profile, subject: str, names: Sequence[str]
) -> bytes:
    """A request in PEM for a certificate of this profile.

    Args:
        keystore: where the key is.
        name: of the key.
        public_key: its SubjectPublicKeyInfo, DER.
        profile: what the certificate is for: its extended key usage and key usage are asked for.
        subject: distinguished name as RFC 4514 writes it (``CN=passerelle,O=Coopérative,C=CA``).
        names: DNS names.

    Raises KeystoreError; ConfigurationError for a subject or name that is none.
    """
    try:
        builder = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name.from_rfc4514_string(subject))
            .add_extension(x509.ExtendedKeyUsage([profile.value]), critical=False)
            .add_extension(_key_usage(profile), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        )
    except ValueError as error:
        raise ConfigurationError("csr_invalid", detail=error) from None
    request = builder.sign(BehindThePort(keystore, name, public_key), hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def _key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=profile.name == "SIGNING",
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
