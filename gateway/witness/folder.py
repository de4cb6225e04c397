"""A witness's folder: ``witness.toml``, its key, its memory; made once, then read strictly."""

from __future__ import annotations

import tomllib
from pathlib import Path  # noqa: TC003  pydantic reads it when the model is built
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from certs.files import UnsafeFileError, read_private, write_private, write_public
from gateway.errors import ConfigurationError, KeystoreError
from gateway.ledger.cosignature import WitnessKey
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import LogKey, check_name

if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIG = "witness.toml"
KEY = "witness.key"
VKEY = "witness.vkey"
MEMORY = "memory"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TOML = """# A witness. It cosigns the checkpoints of the logs named here, and never two that contradict each other.
# Its memory is in {memory}/: never restore an older copy of it; a memory that was lost is a witness to retire.
name = "{name}"
host = "127.0.0.1"
port = {port}
# beyond loopback, TLS: certificate chain and key, PEM
# certificate = "tls.pem"
# key = "tls.key"
logs = [
{logs}
]
"""


class WitnessSettings(BaseModel):
    """The whole of witness.toml.

    Attributes:
        name: the name that its lines begin with, such as ``witness.example.org/w1``.
        host, port: where it listens; beyond loopback with TLS only.
        certificate, key: of TLS, PEM, relative to the folder.
        logs: the vkey of each log that it watches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    host: str = "127.0.0.1"
    port: int = Field(8447, ge=0, le=65535)
    certificate: Path | None = None
    key: Path | None = None
    logs: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_not_open_to_all(self) -> WitnessSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.host not in _LOOPBACK and self.certificate is None:
            raise ValueError("beyond loopback it needs certificate and key")
        return self


class WitnessFolder:
    """What a witness runs from."""

    def __init__(self, folder: Path) -> None:
        """Reads the settings and the key; raises ConfigurationError or KeystoreError naming the file."""
        self.folder = folder
        self.settings = _settings(folder / CONFIG)
        self._private = _private_key(folder / KEY)
        public = self._private.public_key().public_bytes_raw()
        path = folder / CONFIG
        try:
            self.key = WitnessKey(check_name(self.settings.name), public)
            self.logs = tuple(LogKey.parse(text) for text in self.settings.logs)
        except FormatError as error:
            raise ConfigurationError("setting_invalid", path=path, name="name, logs", detail=error) from None
        if len({log.name for log in self.logs}) != len(self.logs):
            raise ConfigurationError("setting_invalid", path=path, name="logs", detail="one origin, two keys")

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature with the witness's key."""
        return self._private.sign(data)

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate chain and key, if it listens with TLS."""
        chain, key = self.settings.certificate, self.settings.key
        return None if chain is None or key is None else (self.folder / chain, self.folder / key)


def make_folder(folder: Path, name: str, logs: Iterable[LogKey], port: int) -> WitnessKey:
    """A new witness, with a new key; raises ConfigurationError where there is one, or the name cannot be a key's."""
    try:
        check_name(name)
    except FormatError as error:
        raise ConfigurationError("witness_name", name=name, detail=error) from None
    private = Ed25519PrivateKey.generate()
    key = WitnessKey(name, private.public_key().public_bytes_raw())
    rows = "\n".join(f'  "{log.vkey}",' for log in logs)
    try:
        write_private(folder / KEY, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        write_public(folder / VKEY, f"{key.vkey}\n".encode())
        write_public(folder / CONFIG, _TOML.format(memory=MEMORY, name=name, port=port, logs=rows).encode())
    except FileExistsError as error:
        raise ConfigurationError("witness_exists", path=error.filename) from None
    return key


def read_log_key(path: Path) -> LogKey:
    """The log's key in a file, as ``trust/log.vkey``; raises ConfigurationError."""
    try:
        return LogKey.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except (FormatError, UnicodeDecodeError) as error:
        raise ConfigurationError("key_malformed", path=path, detail=error) from None


def _settings(path: Path) -> WitnessSettings:
    try:
        return WitnessSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("not_toml", path=path, detail=error) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "/"
        raise ConfigurationError("setting_invalid", path=path, name=where, detail=first["msg"]) from None


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except UnsafeFileError as error:
        raise KeystoreError(f"key_{error.reason}", path=path, detail=error.detail) from None
    except OSError as error:
        raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None
    except (ValueError, TypeError):
        raise KeystoreError("key_malformed", path=path, detail="PKCS #8 PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeystoreError("key_malformed", path=path, detail="Ed25519")
    return key
