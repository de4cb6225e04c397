"""A party's folder: its keys, its agreements, where the gateway is, and what it keeps of its exchanges."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AgreedOperation:
    """How the party calls one operation."""

    method: str
    path: str
    agreement: str
    purpose: str


@dataclass(frozen=True, slots=True)
class PartyFolder:
    """party.toml and the files beside it: tls.pem (chain) and tls.key, signing.pem and signing.key, gateway.pem."""

    name: str
    folder: Path
    origin: str
    authority: Path
    operations: Mapping[str, AgreedOperation]

    @classmethod
    def load(cls, folder: Path) -> PartyFolder:
        """The folder's content; raises ConfigurationError naming what is missing."""
        path = folder / "party.toml"
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            operations = {name: AgreedOperation(**row) for name, row in raw["operations"].items()}
            return cls(raw["name"], folder, raw["origin"], folder / raw["authority"], operations)
        except OSError as error:
            raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise ConfigurationError("party_invalid", path=path, detail=error) from None

    def gateway_certificate(self) -> bytes:
        """DER of the certificate that the gateway's answers must be signed under."""
        pem = (self.folder / "gateway.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
