"""Step 8: evidence, leaf, the answer's one signature, the durable record; only then release (DESIGN S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, NotRecordedError, Refusal, StorageUnavailableError
from gateway.ledger.encoding import encode64, seconds_timestamp
from gateway.ledger.evidence import AnswerFacts, exchange_evidence, intent_evidence, kept_nonce, refusal_evidence
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.model import AnswerToSign, Claim, Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from gateway.change import Change
    from gateway.ledger.evidence import Evidence
    from gateway.ledger.rows import RecordedLeaf
    from gateway.ledger.storage import Lookup
    from gateway.ledger.writer import Writer
    from gateway.model import (
        Answer,
        Content,
        LeafKind,
        Received,
        Refused,
        Released,
        Reply,
        SignedAnswer,
        VerifiedRequest,
    )
    from gateway.ports import Clock, Signing

_REPEAT_WAIT_SECONDS = 0.3
_REPEAT_POLL_SECONDS = 0.01
#: A leaf's time is no earlier than so much before its request came, and no later than so much after (docs/formats.md).
_EARLIEST = timedelta(seconds=60)
_LATEST = timedelta(minutes=5)


class Render(Protocol):
    """How a refusal looks to its caller."""

    def __call__(self, refusal: Refusal, exchange_id: str, received: Received) -> Content:
        """What is said of it in the caller's form and language."""
        ...


@dataclass(frozen=True, slots=True)
class _Digested:
    """An answer's content before it is signed, and the digest by which evidence binds it."""

    content: Content
    digest: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is answered: the request as it came, and as much of it as the answer may be bound to.

    ``request`` is None before its salt was claimed, and then ``nonce`` is what evidence keeps of it (C6).
    """

    received: Received
    request: VerifiedRequest | None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer stands, or will stand, in the log: the values of Ledger-Leaf and Ledger-By.

    ``signed_at`` is the leaf's time where the answer is signed with it, None where the leaf is an older one; so is
    ``signer``, the hex SHA-256 of the certificate that the evidence names.
    """

    leaf: str
    by: str
    signed_at: datetime | None
    signer: str | None


class Sealer:
    """The ledger as the exchange sees it (gateway.ports.Ledger)."""

    def __init__(
        self,
        *,
        writer: Writer,
        lookup: Lookup,
        signing: Signing,
        clock: Clock,
        gateway: str,
        promise_seconds: int,
        render: Render,
        policy_sha256: Callable[[], str],
        pause: Callable[[float], None],
    ) -> None:
        """One per process.

        Args:
            writer: this process's, with period keys.
            lookup: finds the refusals that are recorded already.
            signing: signs the answers.
            clock: the leaf's time, and Ledger-By from it.
            gateway: our own party name, for evidence.
            promise_seconds: how long after the leaf's time it is sequenced at the latest.
            render: the content of a refusal.
            policy_sha256: hex digest of the policy in force, for refusals before a grant.
            pause: lets seconds pass, while a refusal of the same minute is on its way to the disk.
        """
        self._writer = writer
        self._lookup = lookup
        self._signing = signing
        self._clock = clock
        self._gateway = gateway
        self._promise = timedelta(seconds=promise_seconds)
        self._render = render
        self._policy_sha256 = policy_sha256
        self._pause = pause

    def seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        """Records the exchange, then releases it; without a record, a 503 that holds no data.

        Raises Refusal where one of the answer's changes cannot be made any more: nothing of the exchange is in then.
        """
        request = grant.message.request
        body = self._digested(request.received, answer.content)
        facts = self._facts(body)
        evidence = exchange_evidence(grant, reply, answer, facts, self._gateway)
        return self._record(
            "exchange",
            body,
            evidence,
            signer=facts.signing.sha256,
            asked=_Asked(request.received, request),
            party=request.party.name,
            changes=answer.changes,
        )

    def intend(self, grant: Grant, changes: tuple[Change, ...]) -> None:
        """Records an intent durably, with these changes; raises NotRecordedError, or Refusal where one cannot be made.

        A crash after it leaves an intent without an outcome, which is settled later; before it, nothing was asked for.
        """
        request = grant.message.request
        evidence = intent_evidence(grant, self._gateway)
        draft = self._writer.draft("intent", request.received.exchange_id, self._clock.now(), evidence.json)
        self._writer.commit(draft, party=request.party.name, objects=evidence.objects, changes=changes)

    def seal_refusal(self, refused: Refused) -> Released:
        """The same for a refusal; before its salt was claimed, the answer covers no digest of the request (C6)."""
        body = self._refusal_body(refused.refusal, refused.received, refused.received.exchange_id)
        facts = self._facts(body)
        evidence = refusal_evidence(refused, facts, self._gateway, self._policy_sha256())
        return self._record(
            "refusal",
            body,
            evidence,
            signer=facts.signing.sha256,
            asked=_asked(refused),
            party=refused.party,
            changes=refused.changes,
        )

    def repeat_refusal(self, refused: Refused, recorded: UUID) -> Released:
        """A fresh answer that carries the exchange id and leaf of a refusal recorded in the same minute.

        The other exchange may still be on its way to the disk: its record is waited for, 300 ms at most.
        """
        try:
            found = self._await_refusal(recorded)
        except StorageUnavailableError:
            found = None
        if found is None:
            return self._not_recorded(_asked(refused))
        body = self._refusal_body(refused.refusal, refused.received, recorded)
        place = self._place(leaf_hash(found.leaf), found.time)
        return self._sign(body, _asked(refused), recorded, place).released

    def not_recorded(self, refused: Refused) -> Released:
        """The answer where nothing could be recorded: signed, without a leaf; raises KeystoreError if unsigned too."""
        return self._not_recorded(_asked(refused))

    def _record(
        self,
        kind: LeafKind,
        body: _Digested,
        evidence: Evidence,
        *,
        signer: str,
        asked: _Asked,
        party: str | None,
        changes: tuple[Change, ...] = (),
    ) -> Released:
        received, exchange_id = asked.received, asked.received.exchange_id
        # the order of S3: evidence bound by the leaf, leaf named by the answer, answer signed, all of it durable
        try:
            draft = self._writer.draft(kind, exchange_id, self._clock.now(), evidence.json)
        except NotRecordedError:
            return self._not_recorded(asked)
        if not received.at - _EARLIEST <= draft.time <= received.at + _LATEST:
            # no evidence of it could hold: its times are those of two clocks
            self._writer.abandon(draft)
            raise NotRecordedError("the clock was set while the exchange went on")
        place = self._place(draft.leaf_hash, draft.time, signed_at=draft.time, signer=signer)
        try:
            signed = self._sign(body, asked, exchange_id, place)
        except BaseException:
            self._writer.abandon(draft)
            raise
        try:
            self._writer.commit(
                draft,
                party=party,
                answer_base=signed.base,
                answer_signature=signed.signature,
                objects=evidence.objects,
                changes=changes,
            )
        except NotRecordedError:
            return self._not_recorded(asked)
        return signed.released

    def _not_recorded(self, asked: _Asked) -> Released:
        """The one answer without Ledger-Leaf and Ledger-By: signed, and with nothing in it."""
        exchange_id = asked.received.exchange_id
        body = self._refusal_body(Refusal(Code.NOT_RECORDED), asked.received, exchange_id)
        return self._sign(body, asked, exchange_id, None).released

    def _refusal_body(self, refusal: Refusal, received: Received, exchange_id: UUID) -> _Digested:
        return self._digested(received, self._render(refusal, str(exchange_id), received))

    def _digested(self, received: Received, content: Content) -> _Digested:
        return _Digested(content, self._signing.content_digest(received, content))

    def _facts(self, body: _Digested) -> AnswerFacts:
        return AnswerFacts(body.content.status, body.digest, self._signing.signing_key())

    def _place(
        self, digest: bytes, leaf_time: datetime, signed_at: datetime | None = None, signer: str | None = None
    ) -> _Place:
        return _Place(encode64(digest), seconds_timestamp(leaf_time + self._promise), signed_at, signer)

    def _sign(self, body: _Digested, asked: _Asked, exchange_id: UUID, place: _Place | None) -> SignedAnswer:
        return self._signing.sign_answer(
            AnswerToSign(
                content=body.content,
                content_digest=body.digest,
                exchange_id=str(exchange_id),
                ledger_leaf=None if place is None else place.leaf,
                ledger_by=None if place is None else place.by,
                received=asked.received,
                request=asked.request,
                at=None if place is None else place.signed_at,
                signer=None if place is None else place.signer,
                nonce=asked.nonce,
            )
        )

    def _await_refusal(self, recorded: UUID) -> RecordedLeaf | None:
        deadline = self._clock.monotonic() + _REPEAT_WAIT_SECONDS
        while (found := self._lookup.find(KINDS["refusal"], recorded)) is None:
            if self._clock.monotonic() >= deadline:
                return None
            self._pause(_REPEAT_POLL_SECONDS)
        return found


def _asked(refused: Refused) -> _Asked:
    """The answer may be bound to a refused request only after its salt was claimed (C6)."""
    if isinstance(refused.proven, Claim | Grant):
        return _Asked(refused.received, refused.proven.message.request)
    return _Asked(refused.received, None, kept_nonce(refused))
