"""HTTPS to one upstream: a request sent, its whole answer read, inside one deadline and one size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3.exceptions

from adapters.resilience import AttemptFailedError
from adapters.wire import Deadline, Peer, pool_to, vetted_as
from certs.profiles import CertificateRefusedError
from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from urllib3.response import BaseHTTPResponse

    from gateway.ports import Clock

_CHUNK = 64 * 1024
_OK = frozenset({200})
_BUSY = frozenset({429, 502, 503, 504})
_ALWAYS = {"Accept-Encoding": "identity", "User-Agent": "passerelle"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upstream is and how it is reached: mutual TLS, files in PEM, sizes in bytes.

    Attributes:
        url: its https address, which is also what we sign: the To of SOAP, the begin of the target URI of REST.
        ca_file: the roots that its TLS certificate must lead to.
        certificate_file: our TLS client certificate and its issuing CA.
        key_file: its private key.
        largest_answer: more is refused while reading.
        connections: kept alive.
    """

    url: str
    ca_file: Path
    certificate_file: Path
    key_file: Path
    largest_answer: int = 1024 * 1024
    connections: int = 16

    @property
    def origin(self) -> str:
        """``https://name[:port]``."""
        address = urlsplit(self.url)
        return f"{address.scheme}://{address.netloc}"

    @property
    def target(self) -> str:
        """Path and query of the address."""
        address = urlsplit(self.url)
        return (address.path or "/") + (f"?{address.query}" if address.query else "")

    @property
    def below(self) -> str:
        """What stands before the paths of a REST service: the address's path, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer as it came: ``headers`` by small names; ``server`` is what vetting its connection's server gave."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    server: object = field(repr=False)


class Channel:
    """The way to one upstream, for all threads.

    ``vet_server`` judges the TLS server's certificate (DER) once per connection, before anything is sent, and
    raises CertificateRefusedError: its revocation and profile (S6), which OpenSSL alone would not look at.
    """

    def __init__(
        self, endpoint: Endpoint, clock: Clock, media_type: str, vet_server: Callable[[bytes], object] | None = None
    ) -> None:
        """``media_type`` is that of every answer that is taken."""
        self._largest = endpoint.largest_answer
        self._media_type = media_type
        self._deadline = Deadline(clock)
        peer = Peer(endpoint.ca_file, endpoint.certificate_file, endpoint.key_file, endpoint.connections)
        self._pool = pool_to(endpoint.url, peer, self._deadline, vet_server)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
        statuses: frozenset[int] = _OK,
    ) -> HttpAnswer:
        """The answer, of one of these statuses, within ``timeout`` seconds in all; raises AttemptFailedError."""
        self._deadline.begin(timeout)
        try:
            response = self._pool.urlopen(
                method,
                target,
                body or None,
                headers={"Accept": self._media_type, **_ALWAYS, **headers},
                timeout=timeout,
                retries=False,
                preload_content=False,
            )
            try:
                self._check(response, statuses)
                return self._read(response)
            except BaseException:
                # Half-read connections must not go back to the pool.
                response.close()
                response.release_conn()
                raise
        except CertificateRefusedError:
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False) from None
        except urllib3.exceptions.SSLError as error:
            unknown = "CERTIFICATE_VERIFY_FAILED" in str(error)
            code = Code.UPSTREAM_UNTRUSTED if unknown else Code.UPSTREAM_UNAVAILABLE
            raise AttemptFailedError(code, again=not unknown) from None
        except urllib3.exceptions.NewConnectionError:
            # which urllib3 takes for a kind of timeout: nobody listens there
            raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=True) from None
        except urllib3.exceptions.TimeoutError:
            raise AttemptFailedError(Code.UPSTREAM_TIMEOUT, again=True) from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=True) from None

    def _check(self, response: BaseHTTPResponse, statuses: frozenset[int]) -> None:
        if response.status in _BUSY:
            raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=True)
        if response.status not in statuses:
            # A Fault or a problem: the same request would have the same fate.
            raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=False)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != self._media_type or response.headers.get("Content-Encoding", "identity") != "identity":
            raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)

    def _read(self, response: BaseHTTPResponse) -> HttpAnswer:
        # read1: one read of the socket at a time, so that no more is held than was found too large
        parts: list[bytes] = []
        size = 0
        server = vetted_as(response)
        while chunk := response.read1(_CHUNK, decode_content=False):
            size += len(chunk)
            if size > self._largest:
                raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
            parts.append(chunk)
        response.release_conn()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status, headers, b"".join(parts), server)
