"""The listener's TLS: 1.2 or later, a client certificate required, sessions resumed across workers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: How long a peer may keep us waiting for its next bytes.
PATIENCE_SECONDS = 5
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Our certificate chain and key (PEM files), and the authorities whose clients may speak (PEM texts)."""

    chain: Path
    key: Path
    authorities: Sequence[str]


class PatientSocket(ssl.SSLSocket):
    """A connection that waits for its peer a few seconds at a time, where gunicorn would wait for ever.

    Whoever stops in the middle of a handshake or a request holds one of our threads no longer than that.
    """

    def settimeout(self, value: float | None) -> None:
        """As asked, but never without end."""
        super().settimeout(PATIENCE_SECONDS if value is None else value)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001  the library's signature
        """Blocking means: up to our patience."""
        self.settimeout(None if flag else 0.0)


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """A context made once, before the fork: all workers then share its ticket keys, and resume each other's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.load_cert_chain(tls.chain, tls.key)
    context.load_verify_locations(cadata="\n".join(tls.authorities))
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.sslsocket_class = PatientSocket
    return context
