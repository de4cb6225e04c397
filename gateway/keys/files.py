"""The keystore port over files: 0600, owner checked, loaded once, never handed out (S7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.files import UnsafeFileError, read_private
from gateway.errors import KeystoreError
from gateway.keys.certificates import CertificateFiles
from gateway.keys.names import KeyNames
from gateway.keys.raw import raw_low_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from hashlib import _Hash as Hash
    from pathlib import Path

_SHORTEST_MAC = 32
_BLOCK = 64
_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class FileKeystore:
    """Keys of one process: only those that it is given the names of can be used through it.

    A signing key is ``NAME.key`` (PKCS #8 PEM) with its certificate ``NAME.pem`` where it has one; a MAC key
    is ``NAME.mac`` (hex).
    """

    def __init__(
        self, folder: Path, *, signing: Iterable[str] = (), macs: Iterable[str] = (), later: Iterable[str] = ()
    ) -> None:
        """Loads the named keys; raises KeystoreError naming the file that cannot be used, and why.

        Args:
            folder: where the files lie.
            signing: names of signing keys.
            macs: names of MAC keys.
            later: beginnings of names, such as ``nirec-``: these keys are loaded when they are first asked for.
        """
        self._folder = folder
        self._names = KeyNames(frozenset((*signing, *macs)), tuple(later))
        self._signers: dict[str, Callable[[bytes], bytes]] = {}
        self._public: dict[str, bytes] = {}
        self._macs: dict[str, tuple[Hash, Hash]] = {}
        self._certificates = CertificateFiles(folder, self.public_key)
        for name in signing:
            self._load_signer(name)
        for name in macs:
            self._load_mac(name)

    def sign(self, key_id: str, data: bytes) -> bytes:
        """A signature over ``data``: raw r||s with low s (P-256, SHA-256) or Ed25519."""
        signer = self._signers.get(key_id) or self._load_signer(key_id)
        return signer(data)

    def mac(self, key_id: str, data: bytes) -> bytes:
        """HMAC-SHA-256 of ``data``."""
        inner, outer = self._macs.get(key_id) or self._load_mac(key_id)
        inner, outer = inner.copy(), outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()

    def public_key(self, key_id: str) -> bytes:
        """SubjectPublicKeyInfo, DER, of a signing key."""
        if key_id not in self._public:
            self._load_signer(key_id)
        return self._public[key_id]

    def _load_signer(self, name: str) -> Callable[[bytes], bytes]:
        self._check_ours(name)
        key = _private_key(self._folder / f"{name}.key")
        self._public[name] = key.public_key().public_bytes(*_SPKI)
        self._signers[name] = signer = _signer(key)
        return signer

    def _load_mac(self, name: str) -> tuple[Hash, Hash]:
        self._check_ours(name)
        self._macs[name] = states = _mac_states(self._folder / f"{name}.mac")
        return states

    def _check_ours(self, name: str) -> None:
        if name not in self._names:
            raise KeystoreError("key_not_here", name=name)

    def certificate(self, key_id: str) -> bytes:
        """DER of the certificate beside a signing key."""
        self._check_ours(key_id)
        return self._certificates.certificate(key_id)

    def close(self) -> None:
        """Nothing is open."""


def check_private(path: Path) -> None:
    """Raises KeystoreError unless the file is there and only its owner, who we are, can read it."""
    _read(path)


def _read(path: Path) -> bytes:
    try:
        return read_private(path)
    except UnsafeFileError as error:
        raise KeystoreError(f"key_{error.reason}", path=path, detail=error.detail) from None
    except OSError as error:
        raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None


def _private_key(path: Path) -> _PrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):
        raise KeystoreError("key_malformed", path=path, detail="PKCS #8 PEM") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return key
    raise KeystoreError("key_malformed", path=path, detail="P-256, Ed25519")


def _signer(key: _PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    algorithm = ec.ECDSA(hashes.SHA256())
    return lambda data: raw_low_s(key.sign(data, algorithm))


def _mac_states(path: Path) -> tuple[Hash, Hash]:
    """HMAC's inner and outer hash after their key blocks (RFC 2104): copied for each message.

    Half the cost of starting from the key, and without giving the interpreter's lock away, which under load costs
    more than the hash itself.
    """
    try:
        key = bytes.fromhex(_read(path).decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        raise KeystoreError("key_malformed", path=path, detail="hex") from None
    if not _SHORTEST_MAC <= len(key) <= _BLOCK:
        raise KeystoreError("key_malformed", path=path, detail=f"{_SHORTEST_MAC}-{_BLOCK} bytes")
    block = key.ljust(_BLOCK, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in block)), sha256(bytes(byte ^ 0x5C for byte in block))
