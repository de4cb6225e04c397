"""What the sandbox is told when it starts; it reads no configuration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sandboxing.server import Listening


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Where it listens, who it is, whom it trusts; files in PEM, lists in DER.

    Attributes:
        server_name: host name in its TLS certificate and in its address, which callers sign.
        signing_certificate: the leaf that signs answers.
        signing_key: its private key.
        callers: the signing certificates that callers gave it, one after the other.
        caller_roots: roots that those must lead to.
        caller_intermediates: their issuing CAs.
        caller_crls: their revocation lists.
        database: its registrations, ``sqlite:///PATH`` or ``postgresql://...`` (storage.Registry).
        state_key: the key of the digests of registrations' states (P5), in hex; made where there is none.
        kept: the folder for the messages that come and go; None for keeping none.
    """

    listening: Listening
    server_name: str
    signing_certificate: Path
    signing_key: Path
    callers: Path
    caller_roots: tuple[Path, ...]
    caller_intermediates: tuple[Path, ...]
    caller_crls: tuple[Path, ...]
    database: str
    state_key: Path
    kept: Path | None = None

    @property
    def origin(self) -> str:
        """Its https address."""
        return f"https://{self.server_name}:{self.listening.port}"
