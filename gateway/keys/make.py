"""New keys, made once, in files here or inside a token (pkcs11.py): nothing overwrites a key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from certs.files import write_private
from gateway.errors import KeystoreError
from gateway.keys.names import handle_key, nirec_key

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ports import Randomness

__all__ = ["FileKeyMaker", "KeyMaker", "handle_key", "make_mac_key", "nirec_key"]

_MAC_BYTES = 32


class KeyMaker(Protocol):
    """Where new keys come from. Each method but ``has`` raises KeystoreError if the key is there already."""

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        ...

    def make_p256(self, name: str) -> bytes:
        """A signing key; its SubjectPublicKeyInfo in DER."""
        ...

    def knows_ed25519(self) -> bool:
        """Whether it can make Ed25519 keys; not all tokens can."""
        ...

    def make_ed25519(self, name: str) -> bytes:
        """The same with Ed25519."""
        ...

    def make_mac(self, name: str) -> None:
        """A MAC key of 256 random bits, durable when this returns."""
        ...

    def close(self) -> None:
        """No more keys."""
        ...


class FileKeyMaker:
    """Makes keys as files, 0600."""

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        self._folder = folder
        self._randomness = randomness

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        return any((self._folder / f"{name}.{kind}").exists() for kind in ("key", "mac"))

    def make_p256(self, name: str) -> bytes:
        """``NAME.key``."""
        return self._pair(name, ec.generate_private_key(ec.SECP256R1()))

    def knows_ed25519(self) -> bool:
        """Files do."""
        return True

    def make_ed25519(self, name: str) -> bytes:
        """``NAME.key``."""
        return self._pair(name, ed25519.Ed25519PrivateKey.generate())

    def make_mac(self, name: str) -> None:
        """``NAME.mac``, in hex."""
        try:
            make_mac_key(self._folder, name, self._randomness)
        except FileExistsError:
            raise KeystoreError("key_there_already", name=name) from None
        _make_durable(self._folder / f"{name}.mac")

    def close(self) -> None:
        """Nothing is open."""

    def _pair(self, name: str, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            write_private(self._folder / f"{name}.key", pem)
        except FileExistsError:
            raise KeystoreError("key_there_already", name=name) from None
        _make_durable(self._folder / f"{name}.key")
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _make_durable(path: Path) -> None:
    """What comes to depend on a key must not outlive it, whatever happens to the machine."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_mac_key(folder: Path, name: str, randomness: Randomness) -> None:
    """Writes ``NAME.mac`` with 256 random bits in hex; raises FileExistsError if it is there."""
    write_private(folder / f"{name}.mac", randomness.bytes(_MAC_BYTES).hex().encode() + b"\n")
