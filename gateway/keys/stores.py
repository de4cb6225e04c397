"""Where a gateway's keys lie, as its settings say; opens for each process a keystore of its own keys only (S5, S7)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.errors import ConfigurationError
from gateway.keys.files import FileKeystore
from gateway.keys.make import FileKeyMaker
from gateway.keys.names import KeyNames
from gateway.keys.pkcs11 import TokenKeyMaker, TokenKeystore
from gateway.keys.token import Token

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.keys.make import KeyMaker
    from gateway.ports import Clock, Randomness
    from gateway.settings import KeystoreSettings


#: What Python's ssl wants in files (S7).
TLS = ("tls-server", "tls-client")


class OpenKeystore(Protocol):
    """ports.Keystore, with what only its own room and the composition ask for."""

    def sign(self, key_id: str, data: bytes) -> bytes:
        """As ports.Keystore."""
        ...

    def mac(self, key_id: str, data: bytes) -> bytes:
        """As ports.Keystore."""
        ...

    def certificate(self, key_id: str) -> bytes:
        """As ports.Keystore."""
        ...

    def public_key(self, key_id: str) -> bytes:
        """SubjectPublicKeyInfo, DER, of a signing key."""
        ...

    def close(self) -> None:
        """Ends the session with a token, if there is one; the next use opens another."""
        ...


class Keys:
    """A gateway's keys; opens nothing before it is asked to, so that it can be made before a fork."""

    def __init__(self, folder: Path, settings: KeystoreSettings, clock: Clock, randomness: Randomness) -> None:
        """``folder`` holds the certificates, and the keys where they are files."""
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._randomness = randomness

    def open(self, *, signing: Iterable[str] = (), macs: Iterable[str] = (), later: Iterable[str] = ()) -> OpenKeystore:
        """A keystore with these keys, see FileKeystore; raises KeystoreError, ConfigurationError."""
        if self._settings.kind == "files":
            return FileKeystore(self._folder, signing=signing, macs=macs, later=later)
        return TokenKeystore(self._token, KeyNames(frozenset((*signing, *macs)), tuple(later)), self._folder)

    def open_one(self, name: str) -> OpenKeystore:
        """A keystore with one signing key, wherever it lies: some tokens have no Ed25519, and TLS keys are files."""
        if self.in_token(name):
            # looked for when it is used: a process that begins while the token is away waits for it
            return TokenKeystore(self._token, KeyNames(frozenset(), (name,)), self._folder)
        return FileKeystore(self._folder, signing=[name])

    def in_token(self, name: str) -> bool:
        """Whether this signing key is to be looked for in the token: there is one, and no file of that name."""
        return self._settings.kind == "pkcs11" and not (self._folder / f"{name}.key").exists()

    def where(self, name: str) -> Literal["file", "token", "absent"]:
        """Where the key of this name lies; raises KeystoreError where the token cannot be asked."""
        if FileKeyMaker(self._folder, self._randomness).has(name):
            return "file"
        return "token" if self._settings.kind == "pkcs11" and TokenKeyMaker(self._token).has(name) else "absent"

    def maker(self, kind: str = "") -> KeyMaker:
        """Makes further keys of this kind where the others lie; those of TLS are files in any case."""
        if self._settings.kind == "files" or kind in TLS:
            return FileKeyMaker(self._folder, self._randomness)
        self._token.write()
        return TokenKeyMaker(self._token)

    def close(self) -> None:
        """Ends the session with a token, if there is one."""
        if "_token" in vars(self):
            self._token.close()

    @cached_property
    def _token(self) -> Token:
        # one per process: a login is the process's, and so is the end of it
        module, label, pin_file = self._settings.module, self._settings.token, self._settings.pin_file
        if module is None or label is None or pin_file is None:
            missing = next(name for name in ("module", "token", "pin_file") if getattr(self._settings, name) is None)
            raise ConfigurationError("keystore_incomplete", name=f"keystore.{missing}")
        return Token(module, label, pin_file, self._clock)
