"""SOAP upstream: built as zeep reads the local WSDL, signed and verified by gateway.signing, carried by urllib3.

What comes back is read by ``SoapVerifier`` and the XSD only; zeep's own reading and verification are not used
(they take wrapped bodies, and the certificate that the message brings).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3.exceptions
import zeep
import zeep.exceptions
from lxml import etree

from adapters.payload import template_of
from adapters.resilience import AttemptFailedError
from adapters.wire import Deadline, Peer, pool_to
from certs.profiles import CertificateRefusedError
from gateway.errors import Code, Refusal
from gateway.signing import soap_names as n
from gateway.signing.soap_verify import Expected
from gateway.signing.xml import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from urllib3.response import BaseHTTPResponse

    from adapters.payload import PayloadTemplate
    from gateway.model import SignedPart
    from gateway.ports import Clock, Randomness
    from gateway.signing.soap_sign import SoapSigner
    from gateway.signing.soap_verify import SoapVerifier, VerifiedSoap

_CHUNK = 64 * 1024
_OK = 200
_BUSY = frozenset({429, 502, 503, 504})
_SIGNED_HEADERS = (n.TO, n.ACTION, n.MESSAGE_ID)
_HEADERS = {
    "Accept": "text/xml",
    "Accept-Encoding": "identity",
    "Content-Type": "text/xml; charset=utf-8",
    "User-Agent": "passerelle",
}
_PREFIXES = {"soapenv": n.SOAP, "wsa": n.WSA, "wsu": n.WSU}


@dataclass(frozen=True, slots=True)
class SoapEndpoint:
    """Where a SOAP upstream is and how it is reached: mutual TLS, files in PEM, sizes in bytes.

    Attributes:
        url: its https address, which is also the signed To.
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


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """A signed request on its way, and what evidence keeps of it."""

    data: bytes = field(repr=False)
    action: str
    message_id: str
    part: SignedPart


class SoapClient:
    """One service of an upstream; built once, used by all threads.

    ``vet_server`` judges the TLS server's certificate (DER) once per connection, before anything is sent, and
    raises CertificateRefusedError: its revocation and profile (S6), which OpenSSL alone would not look at.
    """

    def __init__(
        self,
        endpoint: SoapEndpoint,
        wsdl: Path,
        xsd: Path,
        *,
        signer: SoapSigner,
        verifier: SoapVerifier,
        clock: Clock,
        randomness: Randomness,
        vet_server: Callable[[bytes], object] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._signer = signer
        self._verifier = verifier
        self._deadline = Deadline(clock)
        self._randomness = randomness
        peer = Peer(endpoint.ca_file, endpoint.certificate_file, endpoint.key_file, endpoint.connections)
        address = urlsplit(endpoint.url)
        self._target = address.path + (f"?{address.query}" if address.query else "")
        self._pool = pool_to(endpoint.url, peer, self._deadline, vet_server)
        self._zeep = zeep.Client(  # type: ignore[no-untyped-call]  # zeep publishes no types
            str(wsdl), settings=zeep.Settings(forbid_dtd=True, forbid_external=True)
        )
        self._templates: dict[str, PayloadTemplate | None] = {}
        self._schema = etree.XMLSchema(parse(xsd.read_bytes()))
        self._schema_lock = threading.Lock()

    def prepare(self, operation: str, action: str, parameters: Mapping[str, object]) -> SoapRequest:
        """A signed request, with its own MessageID and Timestamp.

        Raises KeystoreError, or Refusal (``field_invalid``) for values that their schema does not take.
        """
        payload = self._payload(operation, parameters)
        message_id = f"urn:uuid:{self._randomness.uuid()}"
        # zeep's own addressing headers go: of a WSDL with two wsam:Actions it takes the answer's.
        envelope = etree.Element(n.ENVELOPE, nsmap=_PREFIXES)
        header = etree.SubElement(envelope, n.HEADER)
        for tag, text in ((n.TO, self._endpoint.url), (n.ACTION, action), (n.MESSAGE_ID, message_id)):
            etree.SubElement(header, tag).text = text
        etree.SubElement(envelope, n.BODY).append(payload)
        part = self._signer.sign(envelope, _SIGNED_HEADERS)
        return SoapRequest(etree.tostring(envelope, encoding="utf-8"), action, message_id, part)

    def _payload(self, operation: str, parameters: Mapping[str, object]) -> etree._Element:
        if operation not in self._templates:
            self._templates[operation] = template_of(self._zeep, operation)
        template = self._templates[operation]
        try:
            payload = self._built(operation, parameters) if template is None else template.fill(parameters)
        except (ValueError, zeep.exceptions.Error):
            # A character that XML cannot hold, a value of another type; their texts may quote it.
            raise Refusal(Code.FIELD_INVALID) from None
        if not self._is_valid(payload):
            raise Refusal(Code.FIELD_INVALID)
        return payload

    def _built(self, operation: str, parameters: Mapping[str, object]) -> etree._Element:
        """By zeep itself, for a payload that is more than a list of values."""
        made = self._zeep.create_message(self._zeep.service, operation, **parameters)  # type: ignore[no-untyped-call]  # the same
        payload: etree._Element = made.find(n.BODY)[0]
        return payload

    def _is_valid(self, payload: etree._Element) -> bool:
        # One validator is not safe in two threads at a time.
        with self._schema_lock:
            return bool(self._schema.validate(payload))

    def send(self, request: SoapRequest, timeout: float) -> bytes:
        """The bytes that came back with status 200, within ``timeout`` seconds in all; raises AttemptFailedError."""
        self._deadline.begin(timeout)
        try:
            response = self._pool.urlopen(
                "POST",
                self._target,
                request.data,
                headers=_HEADERS | {"SOAPAction": f'"{request.action}"'},
                timeout=timeout,
                retries=False,
                preload_content=False,
            )
            try:
                _check_status(response)
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

    def _read(self, response: BaseHTTPResponse) -> bytes:
        # read1: one read of the socket at a time, so that no more is held than was found too large
        parts: list[bytes] = []
        size = 0
        while chunk := response.read1(_CHUNK, decode_content=False):
            size += len(chunk)
            if size > self._endpoint.largest_answer:
                raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
            parts.append(chunk)
        response.release_conn()
        return b"".join(parts)

    def read(self, request: SoapRequest, data: bytes, action: str) -> VerifiedSoap:
        """The verified answer to ``request``, its Body's child valid under the XSD; raises AttemptFailedError."""
        expected = Expected(
            n.ANSWER_PARTS, action=action, relates_to=request.message_id, confirms=request.part.signature
        )
        try:
            verified = self._verifier.verify(data, expected)
        except n.SoapSignatureError as refused:
            malformed = refused.reason.startswith("xml_") or refused.reason == "envelope_shape"
            code = Code.UPSTREAM_MALFORMED if malformed else Code.UPSTREAM_UNTRUSTED
            raise AttemptFailedError(code, again=False) from None
        except CertificateRefusedError:
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False) from None
        if not self._is_valid(verified.body):
            raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
        return verified


def _check_status(response: BaseHTTPResponse) -> None:
    if response.status in _BUSY:
        raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=True)
    if response.status != _OK:
        # A Fault: the same request would have the same fate.
        raise AttemptFailedError(Code.UPSTREAM_UNAVAILABLE, again=False)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "text/xml" or response.headers.get("Content-Encoding", "identity") != "identity":
        raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
