"""The listener's TLS: 1.2 or later, a client certificate required, sessions resumed across workers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gevent.ssl import SSLContext

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Our certificate chain and key (PEM files), and the authorities whose clients may speak (PEM texts)."""

    chain: Path
    key: Path
    authorities: Sequence[str]


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """A context made once, before the fork: all workers then share its ticket keys, and resume each other's."""
    context: ssl.SSLContext = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.load_cert_chain(tls.chain, tls.key)
    let_in(context, tls.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def let_in(context: ssl.SSLContext, authorities: Sequence[str]) -> None:
    """Accepts the clients of these authorities too (PEM texts), from the next handshake on.

    None is ever taken out of a context: whose authority a policy does not have any more is refused at step 1.
    """
    context.load_verify_locations(cadata="\n".join(authorities))
