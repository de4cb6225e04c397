"""What the ledger keeps of each event, as canonical JSON (DESIGN L1, C6; docs/formats.md).

Never a field's value, a salt or a body; of a request whose salt was not yet claimed, party, reason, nonce and
time only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.ledger.encoding import canonical_json, encode64, timestamp
from gateway.ledger.sealing import seal_apart
from gateway.model import ApartPart, Claim, Grant, RestPart, SignedPart, SoapSignature, TlsPart, VerifiedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from gateway.effect import States
    from gateway.model import (
        Acknowledged,
        Answer,
        Attempt,
        CertificateProof,
        DisclosedSubject,
        Message,
        Refused,
        Reply,
    )

VERSION = 1


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What evidence keeps of the answer: status, its content's digest, our signing certificate."""

    status: int
    content_digest: str
    signing: CertificateProof


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence ready to be bound.

    Attributes:
        json: its canonical bytes.
        objects: the hex SHA-256 of every certificate, CRL, policy and contract that it names.
    """

    json: bytes
    objects: frozenset[str]


def exchange_evidence(grant: Grant, reply: Reply, answer: Answer, facts: AnswerFacts, gateway: str) -> Evidence:
    """Evidence of an exchange that was granted and answered."""
    message = grant.message
    signed = message.request
    fields = (
        _common(message, "exchange", grant.policy_sha256, facts)
        | _effect(grant, answer.states)
        | {
            "agreement": grant.agreement,
            "purpose": grant.purpose,
            "outcome": "released",
            "parties": {"caller": signed.party.name, "gateway": gateway, "upstream": reply.upstream},
            "subjects": [_subject(subject) for subject in answer.subjects],
            "fields": sorted(answer.disclosed),
            "upstream": [_attempt(attempt, signed.received.exchange_id) for attempt in reply.attempts],
        }
    )
    named = _objects(message, grant.policy_sha256, reply.attempts, facts)
    return Evidence(canonical_json(fields), named)


def refusal_evidence(refused: Refused, facts: AnswerFacts, gateway: str, policy_sha256: str) -> Evidence:
    """Evidence of a refusal: an exchange's shape once the salt was claimed, the little that C6 allows before."""
    proven = refused.proven
    if not isinstance(proven, Claim | Grant):
        return _unclaimed_refusal(refused, facts)
    message = proven.message
    upstream = message.upstream if refused.attempts else None
    policy = proven.policy_sha256 if isinstance(proven, Grant) else policy_sha256
    effect = _effect(proven, None) if isinstance(proven, Grant) else {}
    fields = (
        _common(message, "refusal", policy, facts)
        | effect
        | {
            "agreement": message.agreement,
            "purpose": message.purpose,
            "outcome": refused.refusal.code.value,
            "parties": {"caller": message.request.party.name, "gateway": gateway, "upstream": upstream},
            "subjects": [],
            "fields": [],
            "upstream": [_attempt(attempt, refused.received.exchange_id) for attempt in refused.attempts],
        }
    )
    return Evidence(canonical_json(fields), _objects(message, policy, refused.attempts, facts))


def intent_evidence(grant: Grant, gateway: str) -> Evidence:
    """Evidence that another system is about to be asked for an effect, and by whom that was wanted (L4)."""
    message = grant.message
    received = message.request.received
    fields = {
        "v": VERSION,
        "kind": "intent",
        "exchange_id": str(received.exchange_id),
        "received_at": timestamp(received.at),
        **_operation(message),
        "policy": grant.policy_sha256,
        "agreement": grant.agreement,
        "purpose": grant.purpose,
        "parties": {"caller": message.request.party.name, "gateway": gateway, "upstream": message.upstream},
        "request": _request(message.request),
        **_effect(grant, None),
    }
    named = {grant.policy_sha256, message.operation.sha256}
    for proof in (message.request.signature.key, message.request.party.tls):
        named.update(_hashes(proof))
    return Evidence(canonical_json(fields), frozenset(named))


def settlement_evidence(exchange_id: UUID, key: bytes, outcome: str, reason: str) -> bytes:
    """Evidence that an operator says what became of an intent, and how that is known: words of fixed lists."""
    return _plain("intent", settles=str(exchange_id), effect={"key": key.hex()}, outcome=outcome, reason=reason)


def attempts_evidence(attempts: Sequence[Attempt], exchange: UUID) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """What evidence keeps of attempts upstream, of an exchange or of a delivery; and the objects that they name."""
    proofs = [part.key for one in attempts for part in (one.request, one.answer) if part is not None]
    named = frozenset(name for proof in proofs for name in _hashes(proof))
    return [_attempt(attempt, exchange) for attempt in attempts], named


def opening_evidence(writer: UUID, period: int, role: str, period_key: str, sealed_data_key: bytes) -> bytes:
    """Evidence of a writer's begin; ``period_key`` is the hex SHA-256 of the period's raw public key."""
    return _plain(
        "opening",
        writer=str(writer),
        period=period,
        role=role,
        period_key=period_key,
        sealed_data_key=encode64(sealed_data_key),
    )


def void_evidence(writer: UUID, counter: int, reason: str) -> bytes:
    """Evidence that a writer's counter stands for no record; ``reason`` is a word of ours, no exception's text."""
    return _plain("void", writer=str(writer), counter=counter, reason=reason)


def closing_evidence(writer: UUID, highest: int, missing: Sequence[int]) -> bytes:
    """Evidence that a writer writes no more: its highest counter, and those below it that stand in no leaf."""
    return _plain("closing", writer=str(writer), highest=highest, missing=sorted(missing))


def genesis_evidence(origin: str, policy_sha256: str, log_key: str) -> bytes:
    """Evidence of the log's begin: its origin, its first policy, its key as vkey."""
    return _plain("genesis", origin=origin, policy=policy_sha256, log_key=log_key)


def anchor_evidence(
    size: int, files: Mapping[str, str], previous: str | None, quorum: int | None, cosigned: Sequence[str]
) -> bytes:
    """Evidence of what came to lie beside the log since the anchor before (L8).

    Args:
        size: of the kept checkpoint that it speaks of.
        files: names below ``anchors/``, and the hex SHA-256 of each.
        previous: the hex SHA-256 of the newest token that an anchor before this one named.
        quorum: how many witnesses the policy demanded; None where it demanded none.
        cosigned: the names of the witnesses whose cosignatures the kept checkpoint has.
    """
    return _plain("anchor", size=size, files=dict(files), previous=previous, quorum=quorum, cosigned=sorted(cosigned))


def policy_evidence(
    act: str,
    by: str,
    policy: str | None,
    *,
    follows: tuple[int, str] | None = None,
    approvals: Sequence[bytes] = (),
    reason: str | None = None,
    document: bytes | None = None,
) -> bytes:
    """Evidence of an act about the policy (P2), or of a recovery and what it lost (L7).

    ``follows`` is the bundle's version and the hash of the one before; ``document`` an ASCII text of the latter two.
    """
    version, previous = follows or (None, None)
    texts = [approval.decode("ascii") for approval in approvals]
    said = {} if document is None else {"document": document.decode("ascii")}
    return _plain(
        "policy",
        act=act,
        by=by,
        policy=policy,
        version=version,
        previous=previous,
        approvals=texts,
        reason=reason,
        **said,
    )


def _plain(kind: str, **fields: object) -> bytes:
    return canonical_json({"v": VERSION, "kind": kind, **fields})


def kept_nonce(refused: Refused) -> str | None:
    """The nonce or MessageID of a refused request, where it was strictly valid (C6)."""
    proven = refused.proven
    return refused.refusal.nonce or (proven.signature.nonce if isinstance(proven, VerifiedRequest) else None)


def _unclaimed_refusal(refused: Refused, facts: AnswerFacts) -> Evidence:
    fields = {
        "v": VERSION,
        "kind": "refusal",
        "exchange_id": str(refused.received.exchange_id),
        "received_at": timestamp(refused.received.at),
        "party": refused.party,
        "reason": refused.refusal.code.value,
        "nonce": kept_nonce(refused),
        "answer": _answer(facts),
    }
    return Evidence(canonical_json(fields), frozenset(_hashes(facts.signing)))


def _common(message: Message, kind: str, policy_sha256: str, facts: AnswerFacts) -> dict[str, Any]:
    received = message.request.received
    acknowledged = {} if message.acknowledges is None else {"acknowledges": _acknowledged(message.acknowledges)}
    return acknowledged | {
        "v": VERSION,
        "kind": kind,
        "exchange_id": str(received.exchange_id),
        "received_at": timestamp(received.at),
        **_operation(message),
        "policy": policy_sha256,
        "request": _request(message.request),
        "answer": _answer(facts),
    }


def _operation(message: Message) -> dict[str, Any]:
    one = message.operation
    return {
        "operation": one.name,
        "contract": {"service": one.service, "version": one.version, "sha256": one.sha256},
    }


def _effect(grant: Grant, states: States | None) -> dict[str, Any]:
    """The key of an effect, as its keyed hash, and the states that it found and left (P5); nothing without one."""
    if grant.effect is None:
        return {}
    kept = {} if states is None else {"before": states.before, "after": states.after}
    return {"effect": {"key": grant.effect.key.hex(), **kept}}


def _request(request: VerifiedRequest) -> dict[str, Any]:
    signature = request.signature
    if isinstance(signature, SoapSignature):
        return _part(signature.part) | {
            "form": request.form,
            "algorithm": signature.algorithm,
            "tls": _proof(request.party.tls),
        }
    return {
        "base": signature.base.decode("ascii"),
        "signature": encode64(signature.value),
        "label": signature.label,
        "parameters": signature.parameters,
        "algorithm": signature.algorithm,
        "content_digest": request.content_digest,
        "signing": _proof(signature.key),
        "tls": _proof(request.party.tls),
    }


def _acknowledged(said: Acknowledged) -> dict[str, Any]:
    fields = asdict(said)
    body = fields.pop("body")
    return fields if body is None else fields | {"body": encode64(body)}


def _subject(subject: DisclosedSubject) -> dict[str, Any]:
    role = {} if subject.role is None else {"role": subject.role}
    return {"ledger": subject.ledger, "handle": subject.handle} | role


def _attempt(attempt: Attempt, exchange: UUID) -> dict[str, Any]:
    return {
        "at": timestamp(attempt.at),
        "outcome": attempt.outcome,
        "request": _message(attempt.request, exchange),
        "answer": None if attempt.answer is None else _message(attempt.answer, exchange),
    }


def _message(part: SignedPart | RestPart | ApartPart | TlsPart, exchange: UUID) -> dict[str, Any]:
    """One message between us and an upstream; of SOAP, the older form, evidence says none."""
    match part:
        case SignedPart():
            return _part(part)
        case RestPart():
            return {
                "form": "rest",
                "base": part.base.decode("ascii"),
                "signature": encode64(part.signature),
                "label": part.label,
                "parameters": part.parameters,
                "algorithm": part.algorithm,
                "signing": _proof(part.key),
            }
        case ApartPart():
            inside = canonical_json(_message(part.part, exchange))
            return {
                "form": "apart",
                "officers": sha256(part.officers).hexdigest(),
                "sealed": encode64(seal_apart(part.officers, inside, exchange)),
                "signing": _proof(part.key),
            }
        case TlsPart():
            return {"form": "tls", "content_digest": part.content_digest, "tls": _proof(part.key)}


def _part(part: SignedPart) -> dict[str, Any]:
    return {
        "signed_info": encode64(part.signed_info),
        "signature": encode64(part.signature),
        "headers": {block: encode64(canonical) for block, canonical in part.headers.items()},
        "signing": _proof(part.key),
    }


def _answer(facts: AnswerFacts) -> dict[str, Any]:
    return {"status": facts.status, "content_digest": facts.content_digest, "signing": _proof(facts.signing)}


def _proof(proof: CertificateProof) -> dict[str, Any]:
    return {"sha256": proof.sha256, "chain": proof.chain, "revocation": proof.revocation}


def _objects(message: Message, policy: str, attempts: Sequence[Attempt], facts: AnswerFacts) -> frozenset[str]:
    def proofs() -> Iterator[CertificateProof]:
        yield facts.signing
        yield message.request.signature.key
        yield message.request.party.tls
        for attempt in attempts:
            yield attempt.request.key
            if attempt.answer is not None:
                yield attempt.answer.key

    named = {policy, message.operation.sha256}
    for proof in proofs():
        named.update(_hashes(proof))
    return frozenset(named)


def _hashes(proof: CertificateProof) -> Iterator[str]:
    yield proof.sha256
    yield from proof.chain
    yield from proof.revocation
