"""Step 8: evidence, leaf, the answer's one signature, the durable record; only then release (DESIGN S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, NotRecordedError, Refusal, StorageUnavailableError
from gateway.ledger.encoding import encode64, seconds_timestamp
from gateway.ledger.evidence import AnswerFacts, exchange_evidence, refusal_evidence
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.model import AnswerToSign, Claim, Grant, Released

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from gateway.change import Change
    from gateway.ledger.evidence import Evidence
    from gateway.ledger.rows import RecordedLeaf
    from gateway.ledger.storage import Lookup
    from gateway.ledger.writer import Writer
    from gateway.model import Answer, LeafKind, Received, Refused, Reply, SignedAnswer, VerifiedRequest
    from gateway.ports import Clock, Signing

_REPEAT_WAIT_SECONDS = 0.3
_REPEAT_POLL_SECONDS = 0.01
_RETRY_AFTER = ("Retry-After", "1")
#: A leaf's time is no earlier than so much before its request came, and no later than so much after (docs/formats.md).
_EARLIEST = timedelta(seconds=60)
_LATEST = timedelta(minutes=5)


class Render(Protocol):
    """How a refusal looks to its caller."""

    def __call__(
        self, refusal: Refusal, exchange_id: str, accept_language: str
    ) -> tuple[int, str, bytes, tuple[tuple[str, str], ...]]:
        """Status, Content-Type, body, and further headers such as Retry-After."""
        ...


@dataclass(frozen=True, slots=True)
class _Body:
    """An answer before it is signed."""

    status: int
    content_type: str
    body: bytes
    content_digest: str
    extra: tuple[tuple[str, str], ...] = ()


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
            render: the body of a refusal.
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

        Raises Refusal where the answer's change cannot be made any more: nothing of the exchange is in then.
        """
        request = grant.message.request
        body = _Body(answer.status, answer.content_type, answer.body, _content_digest(answer.body))
        facts = self._facts(body)
        evidence = exchange_evidence(grant, reply, answer, facts, self._gateway)
        return self._record(
            "exchange",
            body,
            evidence,
            signer=facts.signing.sha256,
            received=request.received,
            request=request,
            party=request.party.name,
            change=answer.change,
        )

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
            received=refused.received,
            request=_bindable(refused),
            party=refused.party,
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
            return self._not_recorded(refused.received, _bindable(refused))
        body = self._refusal_body(refused.refusal, refused.received, recorded)
        place = self._place(leaf_hash(found.leaf), found.time)
        signed = self._sign(body, refused.received, _bindable(refused), recorded, place)
        return _release(body, recorded, place, signed)

    def not_recorded(self, refused: Refused) -> Released:
        """The answer where nothing could be recorded: signed, without a leaf; raises KeystoreError if unsigned too."""
        return self._not_recorded(refused.received, _bindable(refused))

    def _record(
        self,
        kind: LeafKind,
        body: _Body,
        evidence: Evidence,
        *,
        signer: str,
        received: Received,
        request: VerifiedRequest | None,
        party: str | None,
        change: Change | None = None,
    ) -> Released:
        exchange_id = received.exchange_id
        # the order of S3: evidence bound by the leaf, leaf named by the answer, answer signed, all of it durable
        try:
            draft = self._writer.draft(kind, exchange_id, self._clock.now(), evidence.json)
        except NotRecordedError:
            return self._not_recorded(received, request)
        if not received.at - _EARLIEST <= draft.time <= received.at + _LATEST:
            # no evidence of it could hold: its times are those of two clocks
            self._writer.abandon(draft)
            raise NotRecordedError("the clock was set while the exchange went on")
        place = self._place(draft.leaf_hash, draft.time, signed_at=draft.time, signer=signer)
        try:
            signed = self._sign(body, received, request, exchange_id, place)
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
                change=change,
            )
        except NotRecordedError:
            return self._not_recorded(received, request)
        return _release(body, exchange_id, place, signed)

    def _not_recorded(self, received: Received, request: VerifiedRequest | None) -> Released:
        """The one answer without Ledger-Leaf and Ledger-By: signed, and with nothing in it."""
        body = self._refusal_body(Refusal(Code.NOT_RECORDED), received, received.exchange_id)
        if not any(name.lower() == "retry-after" for name, _ in body.extra):
            body = _Body(body.status, body.content_type, body.body, body.content_digest, (*body.extra, _RETRY_AFTER))
        signed = self._sign(body, received, request, received.exchange_id, None)
        return _release(body, received.exchange_id, None, signed)

    def _refusal_body(self, refusal: Refusal, received: Received, exchange_id: UUID) -> _Body:
        language = received.headers.get("accept-language", "")
        status, content_type, body, extra = self._render(refusal, str(exchange_id), language)
        return _Body(status, content_type, body, _content_digest(body), extra)

    def _facts(self, body: _Body) -> AnswerFacts:
        return AnswerFacts(body.status, body.content_digest, self._signing.signing_key())

    def _place(
        self, digest: bytes, leaf_time: datetime, signed_at: datetime | None = None, signer: str | None = None
    ) -> _Place:
        return _Place(encode64(digest), seconds_timestamp(leaf_time + self._promise), signed_at, signer)

    def _sign(
        self,
        body: _Body,
        received: Received,
        request: VerifiedRequest | None,
        exchange_id: UUID,
        place: _Place | None,
    ) -> SignedAnswer:
        return self._signing.sign_answer(
            AnswerToSign(
                status=body.status,
                content_digest=body.content_digest,
                exchange_id=str(exchange_id),
                ledger_leaf=None if place is None else place.leaf,
                ledger_by=None if place is None else place.by,
                received=received,
                request=request,
                at=None if place is None else place.signed_at,
                signer=None if place is None else place.signer,
            )
        )

    def _await_refusal(self, recorded: UUID) -> RecordedLeaf | None:
        deadline = self._clock.monotonic() + _REPEAT_WAIT_SECONDS
        while (found := self._lookup.find(KINDS["refusal"], recorded)) is None:
            if self._clock.monotonic() >= deadline:
                return None
            self._pause(_REPEAT_POLL_SECONDS)
        return found


def _bindable(refused: Refused) -> VerifiedRequest | None:
    """The request that the answer may be bound to: only after its salt was claimed (C6)."""
    return refused.proven.message.request if isinstance(refused.proven, Claim | Grant) else None


def _content_digest(body: bytes) -> str:
    """The Content-Digest field (RFC 9530)."""
    return f"sha-256=:{encode64(sha256(body).digest())}:"


def _release(body: _Body, exchange_id: UUID, place: _Place | None, signed: SignedAnswer) -> Released:
    ledger = () if place is None else (("Ledger-Leaf", place.leaf), ("Ledger-By", place.by))
    headers = (
        ("Content-Type", body.content_type),
        ("Content-Digest", body.content_digest),
        ("Exchange-Id", str(exchange_id)),
        *ledger,
        *body.extra,
        ("Signature-Input", signed.signature_input_header),
        ("Signature", signed.signature_header),
    )
    return Released(body.status, headers, body.body)
