"""A party's folder: its keys, its agreements, where the gateway is, and what it keeps of its exchanges."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.client.gateway_keys import read_certificates
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography import x509


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

    def gateway_certificates(self) -> list[x509.Certificate]:
        """Those that the party was given of the gateway's signing key, and believes as they are: gateway.pem.

        Raises ConfigurationError.
        """
        return read_certificates(self.folder / "gateway.pem")

    def gateway_certificate(self) -> bytes:
        """DER of the first of them."""
        return self.gateway_certificates()[0].public_bytes(Encoding.DER)

    def gateway_roots(self) -> list[x509.Certificate]:
        """What the gateway's further certificates must lead to; raises ConfigurationError."""
        return read_certificates(self.authority)
