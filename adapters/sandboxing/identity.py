"""Who a sandbox is, and whom it believes: what every sandbox that signs by RFC 9421 is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sandboxing.server import Listening


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Where it listens, who it is, whom it trusts; files in PEM, lists in DER.

    Attributes:
        server_name: host name in its TLS certificate and in its address, which callers sign.
        signing_certificate: the leaf that signs answers.
        signing_key: its private key.
        callers: the signing certificates that callers gave it, one after the other.
        caller_roots: roots that those must lead to.
        caller_intermediates: their issuing CAs.
        caller_crls: their revocation lists.
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
    kept: Path | None = None

    @property
    def origin(self) -> str:
        """Its https address."""
        return f"https://{self.server_name}:{self.listening.port}"
