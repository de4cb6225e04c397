"""What the sandbox is told when it starts; it reads no configuration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/civil-registry/v1"


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Where it listens, who it is, whom it trusts; certificates and keys in PEM, or DER for lists and issuers.

    Attributes:
        host: address to listen on, for both listeners.
        port: of the SOAP service, mutual TLS.
        control_port: of the plain-HTTP control listener, loopback only.
        server_name: host name in its TLS certificate, in its address and so in the signed To.
        tls_certificate: the leaf, then its issuing CA.
        tls_key: the TLS private key.
        client_ca: roots that client certificates must lead to.
        signing_certificate: the leaf that signs answers.
        signing_key: its private key.
        caller_roots: roots that callers' signing certificates must lead to.
        caller_intermediates: their issuing CAs.
        caller_crls: their revocation lists.
        database: made by ``create_births``.
        contract: the folder with the WSDL and XSD.
        kept: the folder for the messages that come and go; None for keeping none.
    """

    host: str
    port: int
    control_port: int
    server_name: str
    tls_certificate: Path
    tls_key: Path
    client_ca: Path
    signing_certificate: Path
    signing_key: Path
    caller_roots: tuple[Path, ...]
    caller_intermediates: tuple[Path, ...]
    caller_crls: tuple[Path, ...]
    database: Path
    contract: Path
    kept: Path | None = None

    @property
    def address(self) -> str:
        """Its https address, which callers sign as To."""
        return f"https://{self.server_name}:{self.port}{PATH}"
