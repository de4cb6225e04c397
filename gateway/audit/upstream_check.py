"""What was asked of the upstream and what it answered, each message signed, vetted, bound to the other (S4, L1)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certs.profiles import Profile
from gateway.audit.evidence_schema import ApartMessagePart, MessagePart, RestMessagePart, TlsMessagePart
from gateway.audit.rest_messages import RestMessages
from gateway.audit.verdict import Fault, Problem
from gateway.errors import Code
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.soap_names import ANSWER_PARTS, REQUEST_PARTS, SoapSignatureError

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.apart import Apart
    from gateway.audit.certificates import Certificates
    from gateway.audit.delivery_schema import Delivery
    from gateway.audit.evidence_schema import AttemptPart, Exchange
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Policy
    from gateway.audit.traces import Traces
    from gateway.signing.soap_facts import SignedPartFacts

    _Kept = MessagePart | RestMessagePart | ApartMessagePart | TlsMessagePart

ANSWERED = "answered"
_LONGEST_SPAN = timedelta(minutes=5)
#: No message is older when it is taken: its span, the gateway's tolerance, the longest attempt.
_OLDEST = timedelta(minutes=7)
_CLOCK_STEP = timedelta(seconds=60)
_CODES = frozenset(code.value for code in Code)


class UpstreamCheck:
    """Checks the attempts of one log; a MessageID of ours occurs once in it."""

    def __init__(self, objects: Objects, certificates: Certificates, traces: Traces, apart: Apart) -> None:
        self._apart = apart
        self._objects = objects
        self._certificates = certificates
        self._traces = traces
        self._rest = RestMessages(certificates)

    def check(self, evidence: Exchange | Delivery, upstream: str | None, policy: Policy, until: datetime) -> None:
        """Returns if the attempts prove what was asked and answered; ``until`` is the leaf's time.

        ``upstream`` is the party that the contract names for the operation, or None where it asks nobody.
        Raises Problem (upstream_differs, upstream_signature_invalid, certificate_...).
        """
        attempts, named = evidence.upstream, evidence.parties.upstream
        released = evidence.released
        if named != (upstream if attempts or released else None) or (upstream is None and attempts):
            raise Problem(Fault.UPSTREAM_DIFFERS, "another upstream than the contract's")
        answered = [attempt.outcome == ANSWERED for attempt in attempts]
        # a refusal may come after a good answer: what was asked is in evidence, and nothing was released
        if any(answered[:-1]) or (released and upstream is not None and not any(answered)):
            raise Problem(Fault.UPSTREAM_DIFFERS, "what was released was not answered once, by the last attempt")
        for attempt in attempts:
            # the clock may have been set while the exchange ran
            if not evidence.received_at - _CLOCK_STEP <= attempt.at <= until + _CLOCK_STEP:
                raise Problem(Fault.TIME_DIFFERS, "an attempt outside its exchange")
            self._attempt(attempt, evidence, named or "", policy)

    def _attempt(self, attempt: AttemptPart, evidence: Exchange | Delivery, upstream: str, policy: Policy) -> None:
        gateway = evidence.parties.gateway
        if (attempt.answer is not None) != (attempt.outcome == ANSWERED):
            raise Problem(Fault.UPSTREAM_DIFFERS, "an answer is kept where it answered, and nowhere else")
        if attempt.outcome != ANSWERED and attempt.outcome not in _CODES:
            raise Problem(Fault.UPSTREAM_DIFFERS, "an attempt of an unknown outcome")
        request = self._opened(attempt.request, gateway, attempt, evidence, policy)
        answer = None if attempt.answer is None else self._opened(attempt.answer, upstream, attempt, evidence, policy)
        if isinstance(answer, TlsMessagePart):
            self._unsigned(answer, upstream, policy, attempt.at)
            answer = None
        if isinstance(request, RestMessagePart):
            nonce = self._rest.check_request(request, evidence, gateway, policy, attempt.at)
            self._traces.message(f"nonce:{nonce}")
            if isinstance(answer, MessagePart):
                raise Problem(Fault.UPSTREAM_DIFFERS, "asked in one form, answered in another")
            if answer is not None:
                self._rest.check_answer(request, answer, upstream, policy, attempt.at)
        elif isinstance(request, MessagePart):
            if isinstance(answer, RestMessagePart):
                raise Problem(Fault.UPSTREAM_DIFFERS, "asked in one form, answered in another")
            self._soap(request, answer, attempt.at, (gateway, upstream), policy)

    def _opened(
        self, part: _Kept, signer: str, attempt: AttemptPart, evidence: Exchange | Delivery, policy: Policy
    ) -> MessagePart | RestMessagePart | TlsMessagePart | None:
        """What is kept of a message, though it be sealed apart; None where only officers can open it (C5)."""
        if not isinstance(part, ApartMessagePart):
            return part
        upstream = evidence.parties.upstream or ""
        return self._apart.open(part, evidence.exchange_id, signer, upstream, policy, attempt.at)

    def _soap(
        self, request: MessagePart, answer: MessagePart | None, at: datetime, parties: tuple[str, str], policy: Policy
    ) -> None:
        """``parties``: who asked, and who answered."""
        asked = self._facts(request, parties[0], policy, at)
        if not asked.parts >= REQUEST_PARTS:
            raise Problem(Fault.UPSTREAM_DIFFERS, "our request does not sign all that it must")
        if asked.message_id is None:
            raise Problem(Fault.UPSTREAM_DIFFERS, "our request has no MessageID")
        self._traces.message(asked.message_id)
        if answer is None:
            return
        said = self._facts(answer, parties[1], policy, at)
        if not said.parts >= ANSWER_PARTS:
            raise Problem(Fault.UPSTREAM_DIFFERS, "their answer does not sign all that it must")
        # bound to a message of ours that occurs once; how they number their own is theirs to say
        if said.relates_to != asked.message_id or said.confirmation != request.signature:
            raise Problem(Fault.UPSTREAM_DIFFERS, "their answer is to another request")

    def _unsigned(self, answer: TlsMessagePart, upstream: str, policy: Policy, at: datetime) -> None:
        """Where the policy says that they do not sign, and nowhere else: else a gateway could invent their answers."""
        if not policy.bundle.parties[upstream].unsigned:
            raise Problem(Fault.UPSTREAM_DIFFERS, "an answer that is not signed, of a party that signs")
        self._certificates.check(answer.tls, Profile.TLS_SERVER, upstream, policy, at)

    def _facts(self, message: MessagePart, party: str, policy: Policy, at: datetime) -> SignedPartFacts:
        self._certificates.check(message.signing, Profile.SIGNING, party, policy, at)
        certificate = self._objects.bytes(message.signing.sha256)
        try:
            facts = check_signed_part(message.signed_info, message.signature, message.headers, certificate)
        except SoapSignatureError as error:
            raise Problem(Fault.UPSTREAM_SIGNATURE_INVALID, error.reason) from None
        created, expires = facts.created, facts.expires
        if created is None or expires is None or not timedelta(0) < expires - created <= _LONGEST_SPAN:
            raise Problem(Fault.TIME_DIFFERS, "a timestamp that spans nothing or too much")
        if abs(created - at) > _OLDEST:
            raise Problem(Fault.TIME_DIFFERS, "a message of another time than its attempt")
        return facts
