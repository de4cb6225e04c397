"""The keystore port over a PKCS #11 token: keys found by label, made inside, never readable (S7).

Hashed here and signed there: tokens know CKM_ECDSA, not all know CKM_ECDSA_SHA256 (FACTS). Certificates stay files.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import KeystoreError
from gateway.keys.certificates import CertificateFiles
from gateway.keys.raw import low_s

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.keys.names import KeyNames
    from gateway.keys.token import Objects, Token

_MAC_BITS = 256
_POINT = 65
_EDWARDS = 32
_ED25519_OID = "1.3.101.112"


class TokenKeystore:
    """Keys of one process in its token: only those that it is given the names of can be used through it."""

    def __init__(self, token: Token, names: KeyNames, folder: Path) -> None:
        """Raises KeystoreError unless each key that is named exactly is there; ``folder`` holds the certificates."""
        self._token = token
        self._names = names
        self._certificates = CertificateFiles(folder, self.public_key)
        self._public: dict[str, bytes] = {}
        missing = sorted(name for name in names.exact if not token.use(lambda objects, name=name: objects.has(name)))  # type: ignore[misc]  # bound now
        if missing:
            raise KeystoreError("key_not_in_token", name=missing[0], token=token.label)

    def sign(self, key_id: str, data: bytes) -> bytes:
        """A signature over ``data``: raw r||s with low s (P-256, SHA-256) or Ed25519."""
        self._check_ours(key_id)
        return self._token.use(lambda objects: _signed(objects, key_id, data))

    def mac(self, key_id: str, data: bytes) -> bytes:
        """HMAC-SHA-256 of ``data``."""
        self._check_ours(key_id)
        return self._token.use(lambda objects: _mac(objects, key_id, data))

    def public_key(self, key_id: str) -> bytes:
        """SubjectPublicKeyInfo, DER, of a signing key."""
        self._check_ours(key_id)
        if key_id not in self._public:
            found = self._token.use(lambda objects: _public(objects, objects.key("PUBLIC_KEY", key_id)))
            self._public[key_id] = found
        return self._public[key_id]

    def certificate(self, key_id: str) -> bytes:
        """DER of the certificate that goes with a signing key, which is a file."""
        self._check_ours(key_id)
        return self._certificates.certificate(key_id)

    def close(self) -> None:
        """Ends the session."""
        self._token.close()

    def _check_ours(self, name: str) -> None:
        if name not in self._names:
            raise KeystoreError("key_not_here", name=name)


class TokenKeyMaker:
    """Makes keys inside a token, sensitive and not extractable; needs a session that writes."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        return self._token.use(lambda objects: objects.has(name))

    def make_p256(self, name: str) -> bytes:
        """A signing key; its SubjectPublicKeyInfo in DER. Raises KeystoreError if it is there already."""
        return self._token.use(lambda objects: _make_pair(objects, name, edwards=False))

    def knows_ed25519(self) -> bool:
        """Whether the token can make and use Ed25519 keys."""
        return self._token.use(_knows_ed25519)

    def make_ed25519(self, name: str) -> bytes:
        """The same with Ed25519; raises KeystoreError (``token_fails``) where the token does not know it."""
        return self._token.use(lambda objects: _make_pair(objects, name, edwards=True))

    def make_mac(self, name: str) -> None:
        """A MAC key of 256 bits; raises KeystoreError if it is there already."""
        self._token.use(lambda objects: _make_mac(objects, name))

    def close(self) -> None:
        """Ends the session."""
        self._token.close()


def _signed(objects: Objects, name: str, data: bytes) -> bytes:
    key, mechanism = objects.key("PRIVATE_KEY", name), objects.library.Mechanism
    if key.key_type == objects.library.KeyType.EC_EDWARDS:
        return bytes(key.sign(data, mechanism=mechanism.EDDSA))
    return low_s(bytes(key.sign(sha256(data).digest(), mechanism=mechanism.ECDSA)))


def _mac(objects: Objects, name: str, data: bytes) -> bytes:
    return bytes(objects.key("SECRET_KEY", name).sign(data, mechanism=objects.library.Mechanism.SHA256_HMAC))


def _public(objects: Objects, key: Any) -> bytes:
    # EC_POINT is the point in an OCTET STRING; some tokens leave the wrapping out for Edwards keys
    point = bytes(key[objects.library.Attribute.EC_POINT])
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    if key.key_type == objects.library.KeyType.EC_EDWARDS:
        public = ed25519.Ed25519PublicKey.from_public_bytes(point[-_EDWARDS:])
    else:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-_POINT:])
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _make_pair(objects: Objects, name: str, *, edwards: bool) -> bytes:
    from pkcs11.util.ec import encode_named_curve_parameters  # noqa: PLC0415  an extra, see token.py

    library = objects.library
    _check_absent(objects, name)
    curve = encode_named_curve_parameters(_ED25519_OID if edwards else "secp256r1")
    kind = library.KeyType.EC_EDWARDS if edwards else library.KeyType.EC
    parameters = objects.session.create_domain_parameters(kind, {library.Attribute.EC_PARAMS: curve}, local=True)
    public, _ = parameters.generate_keypair(store=True, label=name, **_closed(library, "private_template"))
    return _public(objects, public)


def _knows_ed25519(objects: Objects) -> bool:
    mechanism = objects.library.Mechanism
    return {mechanism.EDDSA, mechanism.EC_EDWARDS_KEY_PAIR_GEN} <= set(objects.session.token.slot.get_mechanisms())


def _make_mac(objects: Objects, name: str) -> None:
    library = objects.library
    _check_absent(objects, name)
    objects.session.generate_key(
        library.KeyType.GENERIC_SECRET,
        _MAC_BITS,
        label=name,
        store=True,
        capabilities=library.MechanismFlag.SIGN | library.MechanismFlag.VERIFY,
        **_closed(library, "template"),
    )


def _closed(library: Any, parameter: str) -> dict[str, dict[Any, bool]]:
    """The attributes of a key that no one can read, not even in wrapped form."""
    attribute = library.Attribute
    return {parameter: {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True}}


def _check_absent(objects: Objects, name: str) -> None:
    if objects.has(name):
        raise KeystoreError("key_there_already", name=name)
