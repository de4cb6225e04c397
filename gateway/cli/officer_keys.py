"""An officer's own key, in a file or on a token; it signs acts and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.files import UnsafeFileError, read_private
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.names import KeyNames
from gateway.keys.raw import raw_low_s
from gateway.policy.officer_keys import officer_key_text
from gateway.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.keys.pkcs11 import TokenKeystore


class OfficerSigner(Protocol):
    """An officer's key, wherever it lies."""

    def public(self) -> str:
        """The public key as a bundle writes it."""
        ...

    def sign(self, data: bytes) -> bytes:
        """64 bytes: Ed25519, or P-256 with SHA-256 as raw r||s with the low s."""
        ...


class FileSigner:
    """An officer's key in a file: PKCS #8 PEM that nobody else can read."""

    def __init__(self, path: Path) -> None:
        """Raises KeystoreError for a file that cannot be used."""
        try:
            key = serialization.load_pem_private_key(read_private(path), password=None)
        except UnsafeFileError as error:
            raise KeystoreError(f"key_{error.reason}", path=path, detail=error.detail) from None
        except OSError as error:
            raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None
        except (ValueError, TypeError):
            raise KeystoreError("key_malformed", path=path, detail="PKCS #8 PEM") from None
        if not isinstance(key, ed25519.Ed25519PrivateKey) and not (
            isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
        ):
            raise KeystoreError("key_malformed", path=path, detail="Ed25519, P-256")
        self._key = key

    def public(self) -> str:
        """The public key as a bundle writes it."""
        return officer_key_text(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """64 bytes over ``data``."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        return raw_low_s(self._key.sign(data, ec.ECDSA(hashes.SHA256())))


class TokenSigner:
    """An officer's key on a token."""

    def __init__(self, keystore: TokenKeystore, label: str) -> None:
        self._keystore = keystore
        self._label = label

    def public(self) -> str:
        """The public key as a bundle writes it; raises KeystoreError."""
        key = serialization.load_der_public_key(self._keystore.public_key(self._label))
        if not isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
            raise KeystoreError("key_not_here", name=self._label)
        return officer_key_text(key)

    def sign(self, data: bytes) -> bytes:
        """64 bytes over ``data``; raises KeystoreError."""
        return self._keystore.sign(self._label, data)


class _Label(KeyNames):
    """One key by the label that its token gives it, whatever that is: it becomes part of no path."""

    def __contains__(self, name: str) -> bool:
        return name in self.exact


@contextmanager
def officer_key(
    key: Path | None, module: Path | None, token: str | None, pin_file: Path | None, label: str | None
) -> Iterator[OfficerSigner]:
    """The key of ``--key``, or of ``--pkcs11``, ``--token``, ``--pin-file`` and ``--label``.

    Raises ConfigurationError for neither and for both, and KeystoreError for a key that cannot be used.
    """
    if key is not None and module is None:
        yield FileSigner(key)
        return
    if key is not None or module is None or token is None or pin_file is None or label is None:
        raise ConfigurationError("officer_key_needed")
    from gateway.keys.pkcs11 import TokenKeystore  # noqa: PLC0415  an extra, for whoever has a token
    from gateway.keys.token import Token  # noqa: PLC0415  the same

    session = Token(module, token, pin_file, SystemClock())
    try:
        yield TokenSigner(TokenKeystore(session, _Label(frozenset({label})), pin_file.parent), label)
    finally:
        session.close()
