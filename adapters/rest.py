"""REST upstream: requests signed as S1 says, answers verified as S2 says, or vouched for by mutual TLS alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.mapping.apart import keeping, nobody
from adapters.mapping.values import ValueUnfitError
from adapters.resilience import AttemptFailedError
from adapters.system import Answered, Question
from certs.profiles import CertificateRefusedError
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, RestPart, TlsPart
from gateway.signing.algorithms import ECDSA_P256
from gateway.signing.digest import content_digest
from gateway.signing.outgoing import LABEL
from gateway.signing.upstream_answer import UpstreamRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.channel import Channel, HttpAnswer
    from adapters.mapping.apart import Keeping
    from adapters.mapping.rest_call import RestCall, RestOperation
    from adapters.salts import Salts
    from adapters.system import Asking
    from gateway.signing.outgoing import RequestSigner, SignedRequest
    from gateway.signing.upstream_answer import UpstreamAnswerVerifier

MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A signed request on its way, and what evidence keeps of it."""

    signed: SignedRequest = field(repr=False)
    part: RestPart


class RestClient:
    """One service at one address; built once, used by all threads."""

    def __init__(
        self,
        channel: Channel,
        below: str,
        signer: RequestSigner,
        prove: Callable[[bytes], CertificateProof],
        verifier: UpstreamAnswerVerifier | None,
        unsigned: Callable[[], bool],
    ) -> None:
        """``below`` is the path of its address.

        Without ``verifier`` its answers are not signed, and are taken as long as ``unsigned`` says that they need not.
        """
        self._channel = channel
        self._below = below
        self._signer = signer
        self._prove = prove
        self._verifier = verifier
        self._unsigned = unsigned

    def prepare(self, call: RestCall, grant: Asking) -> RestRequest:
        """A signed request with its own nonce, and the key of its effect where it has one; raises KeystoreError."""
        target = self._below + call.target
        key = None if grant.effect is None else grant.effect.upstream
        signed = self._signer.sign(
            call.method, target, call.body, agreement=grant.agreement, purpose=grant.purpose, idempotency_key=key
        )
        proof = self._prove(self._signer.certificate())
        part = RestPart(signed.base, signed.signature, LABEL, signed.parameters, ECDSA_P256, proof)
        return RestRequest(signed, part)

    def send(self, request: RestRequest, statuses: frozenset[int], timeout: float) -> HttpAnswer:
        """The answer, within ``timeout`` seconds in all; raises AttemptFailedError."""
        signed = request.signed
        return self._channel.send(signed.method, signed.target, signed.headers, signed.body, timeout, statuses)

    def vouched(self, request: RestRequest, answer: HttpAnswer, *, secret: bool) -> RestPart | TlsPart:
        """What evidence keeps of the answer, once it is the upstream's; raises AttemptFailedError.

        ``secret``: the answer holds personal data; where nobody signs it, it then has no salt that one must rely on.
        """
        if self._verifier is None:
            if not isinstance(answer.server, CertificateProof) or not self._unsigned():
                raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
            return TlsPart(None if secret else content_digest(answer.body), answer.server)
        try:
            return self._verifier.verify(request.part, answer.status, answer.headers, answer.body)
        except (UpstreamRefusedError, CertificateRefusedError, Refusal):
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False) from None


class RestDialogue:
    """system.Dialogue over REST; ``officers`` is for what is sealed apart (C5)."""

    def __init__(
        self,
        operation: RestOperation,
        client: RestClient,
        salts: Salts,
        officers: Callable[[], bytes] = nobody,
    ) -> None:
        self._operation = operation
        self._client = client
        self._salts = salts
        self._officers = officers

    def question(self, grant: Asking) -> Question:
        """The signed request with its own salt; raises KeystoreError, Refusal (``field_invalid``)."""
        kept = keeping(self._operation.apart, self._officers)
        salt = self._salts.new()
        call = self._operation.request(grant.message.fields, salt)
        request = self._client.prepare(call, grant)
        asked = call.repeats
        return Question(kept.asked(request.part), lambda timeout: self._answer(request, salt, asked, kept, timeout))

    def _answer(
        self, request: RestRequest, salt: bytes, repeats: tuple[str | None, ...], kept: Keeping, timeout: float
    ) -> Answered:
        answer = self._client.send(request, self._operation.statuses, timeout)
        part = self._client.vouched(request, answer, secret=self._operation.secret_answer)
        try:
            read = self._operation.read(answer.status, answer.body)
        except ValueUnfitError:
            raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False) from None
        if not read.is_answer_to(repeats):
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
        if read.salt is not None:
            theirs = part.base.decode("ascii") if isinstance(part, RestPart) else ""
            self._salts.accept(read.salt, salt, request.part.base.decode("ascii") + theirs)
        return Answered(read.fields, kept.answered(part))
