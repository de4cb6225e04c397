"""From an arrival to a Received: the raw target, the body unread by any parser, the certificate."""

from __future__ import annotations

from errno import ECONNRESET
from typing import TYPE_CHECKING

from gateway.model import Received
from gateway.signing.soap_http import form_of

if TYPE_CHECKING:
    from gateway.http.connection import Arrival
    from gateway.ports import Clock, Randomness

_MOST = 65_536


class Receiver:
    """Makes a Received of what came over a connection."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness

    def receive(self, arrival: Arrival) -> Received:
        """The request as it came; a body past 64 KiB is not read, and says so.

        Raises ConnectionResetError when the body ends before its Content-Length: the connection is over.
        """
        headers: dict[str, str] = {}
        for upper, value in arrival.headers:
            name = upper.lower()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        body = arrival.body.read(_MOST + 1)
        oversize = len(body) > _MOST
        if not oversize and len(body) < int(headers.get("content-length") or 0):
            # RFC 9112, section 8: an incomplete message is none, though what came of it may be rightly signed.
            raise ConnectionResetError(ECONNRESET, "the body ended early")
        target = arrival.target
        return Received(
            exchange_id=self._randomness.uuid(),
            method=arrival.method,
            target=target,
            headers=headers,
            body=b"" if oversize else body,
            tls_certificate=arrival.certificate,
            at=self._clock.now(),
            oversize=oversize,
            form=form_of(target, headers.get("content-type", "")),
        )
