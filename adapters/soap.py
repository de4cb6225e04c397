"""SOAP upstream: the mapped payload in an envelope, signed and verified by gateway.signing, carried by a channel.

What comes back is read by ``SoapVerifier`` and their XSD only; zeep's own reading and verification are not used
(they take wrapped bodies, and the certificate that the message brings).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.mapping.apart import keeping, nobody
from adapters.mapping.values import ValueUnfitError
from adapters.resilience import AttemptFailedError
from adapters.system import Answered, Question
from certs.profiles import CertificateRefusedError
from gateway.errors import Code
from gateway.model import CertificateProof, TlsPart
from gateway.signing import soap_names as n
from gateway.signing.digest import content_digest
from gateway.signing.soap_text import bare
from gateway.signing.soap_verify import Expected
from gateway.signing.xml import XmlLimits, XmlRefusedError, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from adapters.channel import Channel, HttpAnswer
    from adapters.encryption import Encryption
    from adapters.mapping.apart import Keeping
    from adapters.mapping.soap_form import SoapOperation
    from adapters.salts import Salts
    from adapters.system import Asking
    from gateway.model import SignedPart
    from gateway.ports import Randomness
    from gateway.signing.soap_sign import SoapSigner
    from gateway.signing.soap_verify import SoapVerifier, VerifiedSoap

MEDIA_TYPE = "text/xml"
_CONTENT_TYPE = "text/xml; charset=utf-8"
#: An answer of a megabyte may be a long list: the limit on bytes is reached first (C7).
ANSWER_LIMITS = XmlLimits(elements=50_000)
_SHAPES = ([n.HEADER, n.BODY], [n.BODY])


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """A signed request on its way, and what evidence keeps of it."""

    data: bytes = field(repr=False)
    action: str
    message_id: str
    part: SignedPart


@dataclass(frozen=True, slots=True)
class Vouched:
    """The very element below the Body that somebody vouches for, what evidence keeps, and the answer's own id."""

    payload: etree._Element = field(repr=False)
    part: SignedPart | TlsPart
    message_id: str


class SoapClient:
    """One service at one address; built once, used by all threads."""

    def __init__(
        self,
        channel: Channel,
        url: str,
        target: str,
        *,
        signer: SoapSigner,
        verifier: SoapVerifier | None,
        unsigned: Callable[[], bool] = lambda: False,
        randomness: Randomness,
    ) -> None:
        """``url`` is the signed To, ``target`` its path and query.

        Without ``verifier`` its answers are not signed, and are taken as long as ``unsigned`` says that they need not.
        """
        self._channel = channel
        self._url = url
        self._target = target
        self._signer = signer
        self._verifier = verifier
        self._unsigned = unsigned
        self._randomness = randomness

    def prepare(self, payload: etree._Element, action: str) -> SoapRequest:
        """A signed request, with its own MessageID and Timestamp; raises KeystoreError.

        A service that does not sign gets the very Body that we signed, without headers that it would not understand.
        """
        message_id = f"urn:uuid:{self._randomness.uuid()}"
        signed = self._signer.message({"To": self._url, "Action": action, "MessageID": message_id}, payload)
        data = bare(signed.body) if self._verifier is None else signed.data
        return SoapRequest(data, action, message_id, signed.part)

    def send(self, request: SoapRequest, timeout: float) -> HttpAnswer:
        """The answer of status 200, within ``timeout`` seconds in all; raises AttemptFailedError."""
        headers = {"Content-Type": _CONTENT_TYPE, "SOAPAction": f'"{request.action}"'}
        return self._channel.send("POST", self._target, headers, request.data, timeout)

    def vouched(self, request: SoapRequest, answer: HttpAnswer, operation: SoapOperation) -> Vouched:
        """The answer to ``request``, once it is the upstream's; raises AttemptFailedError."""
        if self._verifier is None:
            if not self._unsigned():
                raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
            return _by_connection(answer, secret=operation.secret_answer)
        verified = self._verify(self._verifier, request, answer.body, operation.answer_action)
        return Vouched(verified.body, verified.part, verified.facts.message_id or "")

    def _verify(self, verifier: SoapVerifier, request: SoapRequest, data: bytes, action: str | None) -> VerifiedSoap:
        expected = Expected(
            n.ANSWER_PARTS, action=action, relates_to=request.message_id, confirms=request.part.signature
        )
        try:
            return verifier.verify(data, expected)
        except n.SoapSignatureError as refused:
            malformed = refused.reason.startswith("xml_") or refused.reason == "envelope_shape"
            code = Code.UPSTREAM_MALFORMED if malformed else Code.UPSTREAM_UNTRUSTED
            raise AttemptFailedError(code, again=False) from None
        except CertificateRefusedError:
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False) from None


def _by_connection(answer: HttpAnswer, *, secret: bool) -> Vouched:
    """An answer that its owner does not sign: its connection alone vouches for it."""
    if not isinstance(answer.server, CertificateProof):
        raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
    try:
        root = parse(answer.body, ANSWER_LIMITS)
    except XmlRefusedError:
        raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False) from None
    body = root[-1] if len(root) else root
    if root.tag != n.ENVELOPE or [one.tag for one in root] not in _SHAPES or len(body) != 1:
        raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
    return Vouched(body[0], TlsPart(None if secret else content_digest(answer.body), answer.server), "")


class SoapDialogue:
    """system.Dialogue over SOAP.

    ``encryption`` is for the places that the mapping says are encrypted, ``officers`` for what is sealed apart (C5).
    """

    def __init__(
        self,
        operation: SoapOperation,
        client: SoapClient,
        salts: Salts,
        encryption: Encryption | None = None,
        officers: Callable[[], bytes] = nobody,
    ) -> None:
        self._operation = operation
        self._client = client
        self._salts = salts
        self._encryption = encryption
        self._officers = officers

    def question(self, grant: Asking) -> Question:
        """The signed request with its own salt; raises KeystoreError, Refusal (``field_invalid``)."""
        kept = keeping(self._operation.apart, self._officers)
        salt = self._salts.new()
        payload = self._operation.payload(grant.message.fields, salt)
        repeats = self._operation.repeats(payload)
        if self._encryption is not None:
            self._encryption.conceal(payload, self._operation.encrypted)
        request = self._client.prepare(payload, self._operation.action)
        return Question(kept.asked(request.part), lambda timeout: self._answer(request, salt, repeats, kept, timeout))

    def _answer(
        self, request: SoapRequest, salt: bytes, repeats: tuple[str | None, ...], kept: Keeping, timeout: float
    ) -> Answered:
        vouched = self._client.vouched(request, self._client.send(request, timeout), self._operation)
        try:
            answer = self._operation.read(vouched.payload)
        except ValueUnfitError:
            raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False) from None
        if not answer.is_answer_to(repeats):
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
        if answer.salt is not None:
            self._salts.accept(answer.salt, salt, f"{request.message_id} {vouched.message_id}")
        return Answered(answer.fields, kept.answered(vouched.part))
