from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import Code, KeystoreError, NotRecordedError, Refusal
from gateway.ledger.encoding import decode64
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.sealer import Sealer
from gateway.ledger.storage import Lookup
from gateway.model import (
    Answer,
    AnswerToSign,
    Attempt,
    CertificateProof,
    Claim,
    Content,
    DisclosedSubject,
    Grant,
    Message,
    Nirec,
    OperationRef,
    Party,
    Received,
    Refused,
    Released,
    Reply,
    RequestSignature,
    SignedAnswer,
    SignedPart,
    VerifiedRequest,
)
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.record import Record

    from .conftest import Bench

    EvidenceOf = Callable[[Record], dict[str, Any]]

POLICY = sha256(b"policy").hexdigest()
CONTRACT = sha256(b"contract").hexdigest()


def proof(bench: Bench, name: str) -> CertificateProof:
    names = [name, f"{name} chain", f"{name} crl"]
    hashes = [sha256(part.encode()).hexdigest() for part in names]
    bench.objects |= {digest: part.encode() for digest, part in zip(hashes, names, strict=True)}
    return CertificateProof(hashes[0], (hashes[1],), (hashes[2],))


class FakeSigning:
    """Signs by writing down what it was asked to sign."""

    def __init__(self, key: CertificateProof) -> None:
        self.key = key
        self.asked: list[AnswerToSign] = []
        self.broken = False

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        raise NotImplementedError

    def content_digest(self, received: Received, content: Content) -> str:
        return f"{received.form} {len(content.body)}"

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        if self.broken:
            raise KeystoreError("no key")
        self.asked.append(answer)
        content = answer.content
        base = f"{content.status} {answer.exchange_id} {answer.ledger_leaf}".encode()
        headers = {"Exchange-Id": answer.exchange_id, "Content-Digest": answer.content_digest, "Signature": "signed"}
        if answer.ledger_leaf is not None and answer.ledger_by is not None:
            headers |= {"Ledger-Leaf": answer.ledger_leaf, "Ledger-By": answer.ledger_by}
        return SignedAnswer(base, b"signature", Released(content.status, tuple(headers.items()), content.body))

    def signing_key(self) -> CertificateProof:
        return self.key


def render(refusal: Refusal, exchange_id: str, received: Received) -> Content:
    body = json.dumps({"code": refusal.code, "exchange_id": exchange_id, "language": received.headers})
    return Content(503 if refusal.code is Code.NOT_RECORDED else 400, "application/problem+json", body.encode())


@dataclasses.dataclass
class Room:
    bench: Bench
    sealer: Sealer
    signing: FakeSigning
    grant: Grant

    def fresh(self) -> Grant:
        """The same grant, in another exchange."""
        request = self.grant.message.request
        received = dataclasses.replace(request.received, exchange_id=uuid.uuid4())
        request = dataclasses.replace(request, received=received)
        return dataclasses.replace(self.grant, message=dataclasses.replace(self.grant.message, request=request))

    def opened(self) -> dict[uuid.UUID, tuple[str, Record]]:
        sequencer = self.bench.sequencer()
        sequencer.start()
        sequencer.step()
        return {leaf.exchange_id: (leaf.kind, record) for leaf, record in self.bench.whole_log()}


@pytest.fixture
def room(bench: Bench) -> Room:
    bench.begin()
    bench.objects |= {POLICY: b"policy", CONTRACT: b"contract"}
    signing = FakeSigning(proof(bench, "gateway"))
    sealer = Sealer(
        writer=bench.writer(),
        lookup=Lookup(bench.database()),
        signing=signing,
        clock=bench.clock,
        gateway="passerelle",
        promise_seconds=60,
        render=render,
        policy_sha256=lambda: POLICY,
        pause=Threads().pause,
    )
    received = Received(
        uuid.uuid4(), "POST", "/v1/echo", {"accept-language": "fr"}, b'{"x":"NEEDLE"}', b"", bench.clock.now()
    )
    signature = RequestSignature(
        "sig1",
        '("@method");nonce="n"',
        b'"@method": POST',
        b"caller signature",
        "ecdsa-p256-sha256",
        "n-0123456789",
        1,
        proof(bench, "caller signing"),
    )
    request = VerifiedRequest(Party("ministry", proof(bench, "caller tls")), received, signature, "sha-256=:AAAA:")
    operation = OperationRef("verify", "nirec", "1", CONTRACT)
    fields = {"nirec": Nirec("1234567890123"), "surname": "NEEDLE"}
    disclosable = frozenset({"b", "a"})
    message = Message(request, operation, fields, b"SALT-NEEDLE-SALT", "A-1", "P-1", disclosable, "registry", None)
    grant = Grant(
        message=message,
        agreement="A-1",
        purpose="P-1",
        fields=frozenset({"a"}),
        tells_not_found=False,
        policy_sha256=POLICY,
    )
    return Room(bench, sealer, signing, grant)


def attempts(bench: Bench) -> tuple[Attempt, ...]:
    sent = SignedPart(b"<SignedInfo/>", b"value", {"id-1": b"<To/>"}, proof(bench, "our soap"))
    answer = dataclasses.replace(sent, key=proof(bench, "registry"))
    at = bench.clock.now()
    return (Attempt(at, "upstream_timeout", sent, None), Attempt(at, "answered", sent, answer))


def sealed(room: Room, grant: Grant) -> Released:
    reply = Reply("registry", {"a": "NEEDLE"}, attempts(room.bench))
    body = b'{"a":"NEEDLE","salt":"NEEDLE"}'
    content = Content(200, "application/json", body)
    answer = Answer(content, ("b", "a"), (DisclosedSubject("ab" * 32, "handle-1"),))
    return room.sealer.seal(grant, reply, answer)


def test_an_exchange_is_recorded_before_it_is_released(room: Room, evidence: EvidenceOf) -> None:
    released = sealed(room, room.grant)
    headers = dict(released.headers)
    received = room.grant.message.request.received
    found = Lookup(room.bench.database()).answered(received.exchange_id)
    assert found is not None
    assert found.party == "ministry"
    assert decode64(headers["Ledger-Leaf"]) == leaf_hash(found.leaf)
    assert headers["Ledger-By"] == "2026-11-22T20:18:43Z"
    assert headers["Exchange-Id"] == str(received.exchange_id)
    kind, record = room.opened()[received.exchange_id]
    kept = evidence(record)
    assert kind == "exchange"
    assert record.answer_base == f"200 {received.exchange_id} {headers['Ledger-Leaf']}".encode()
    assert record.answer_signature == b"signature"
    assert kept["answer"] == {
        "status": 200,
        "content_digest": headers["Content-Digest"],
        "signing": {
            "sha256": room.signing.key.sha256,
            "chain": [room.signing.key.chain[0]],
            "revocation": [room.signing.key.revocation[0]],
        },
    }
    assert (kept["fields"], kept["outcome"]) == (["a", "b"], "released")
    assert kept["parties"] == {"caller": "ministry", "gateway": "passerelle", "upstream": "registry"}
    assert kept["subjects"] == [{"ledger": "ab" * 32, "handle": "handle-1"}]
    assert [attempt["outcome"] for attempt in kept["upstream"]] == ["upstream_timeout", "answered"]
    assert kept["request"]["base"] == '"@method": POST'
    assert "NEEDLE" not in record.evidence.decode()


def test_every_object_that_evidence_names_is_published(room: Room) -> None:
    sealed(room, room.grant)
    room.opened()
    present = {path.name for path in (room.bench.directory / "objects").iterdir()}
    assert present >= set(room.bench.objects)


@pytest.mark.parametrize("stage", ["claim", "grant"])
def test_a_refusal_after_the_claim_has_the_shape_of_an_exchange(room: Room, evidence: EvidenceOf, stage: str) -> None:
    grant = room.fresh()
    received = grant.message.request.received
    proven = grant if stage == "grant" else Claim(grant.message)
    refused = Refused(received, "ministry", Refusal(Code.NOT_AGREED), proven, attempts(room.bench))
    headers = dict(room.sealer.seal_refusal(refused).headers)
    kind, record = room.opened()[received.exchange_id]
    kept = evidence(record)
    assert kind == "refusal"
    assert (kept["outcome"], kept["fields"], kept["subjects"]) == ("not_agreed", [], [])
    assert kept["policy"] == POLICY
    assert kept["parties"] == {"caller": "ministry", "gateway": "passerelle", "upstream": "registry"}
    assert "Ledger-Leaf" in headers
    assert room.signing.asked[-1].request == grant.message.request


@pytest.mark.parametrize("stage", ["none", "verified"])
def test_before_the_claim_evidence_keeps_party_reason_nonce_and_time_only(
    room: Room, evidence: EvidenceOf, stage: str
) -> None:
    request = room.fresh().message.request
    received = request.received
    proven = request if stage == "verified" else None
    refused = Refused(received, "ministry", Refusal(Code.SALT_INVALID, nonce="n-0123456789"), proven)
    room.sealer.seal_refusal(refused)
    kept = evidence(room.opened()[received.exchange_id][1])
    assert set(kept) == {"v", "kind", "exchange_id", "received_at", "party", "reason", "nonce", "answer"}
    assert (kept["party"], kept["reason"], kept["nonce"]) == ("ministry", "salt_invalid", "n-0123456789")
    assert room.signing.asked[-1].request is None


def test_without_a_record_the_answer_is_a_503_without_data_or_ledger_headers(room: Room) -> None:
    del room.bench.objects[CONTRACT]
    released = sealed(room, room.grant)
    headers = dict(released.headers)
    assert released.status == 503
    assert json.loads(released.body)["code"] == "not_recorded"
    assert "Ledger-Leaf" not in headers
    assert "Ledger-By" not in headers
    assert headers["Signature"]
    assert (room.signing.asked[-1].ledger_leaf, room.signing.asked[-1].ledger_by) == (None, None)
    kinds = [kind for kind, _ in room.opened().values()]
    assert ("exchange" in kinds, "void" in kinds) == (False, True)


def test_without_a_signature_nothing_is_recorded_and_nothing_released(room: Room) -> None:
    room.signing.broken = True
    with pytest.raises(KeystoreError):
        sealed(room, room.grant)
    kinds = [kind for kind, _ in room.opened().values()]
    assert ("exchange" in kinds, "void" in kinds) == (False, True)


@pytest.mark.parametrize("step", [timedelta(hours=1), -timedelta(hours=1)], ids=["forward", "back"])
def test_an_exchange_during_which_the_clock_was_set_is_not_recorded(room: Room, step: timedelta) -> None:
    """Its evidence could not hold: the request came at another time than its leaf's."""
    assert sealed(room, room.grant).status == 200
    grant = room.fresh()
    room.bench.clock.at += step
    with pytest.raises(NotRecordedError):
        sealed(room, grant)
    refused = Refused(grant.message.request.received, "ministry", Refusal(Code.NOT_RECORDED), None)
    assert room.sealer.not_recorded(refused).status == 503
    assert [kind for kind, _ in room.opened().values()].count("exchange") == 1


def test_the_answer_is_signed_with_the_leaf_s_time(room: Room) -> None:
    assert sealed(room, room.grant).status == 200
    exchange = next(leaf for leaf, _ in _sequenced(room) if leaf.kind == "exchange")
    assert room.signing.asked[-1].at == exchange.time


def _sequenced(room: Room) -> list[tuple[Leaf, Record]]:
    room.opened()
    return list(room.bench.whole_log())


def test_a_repeated_refusal_carries_the_recorded_one_s_leaf(room: Room) -> None:
    first = room.fresh().message.request.received
    refusal = Refusal(Code.PARTY_SUSPENDED)
    recorded = dict(room.sealer.seal_refusal(Refused(first, "ministry", refusal, None)).headers)
    second = room.fresh().message.request.received
    again = dict(room.sealer.repeat_refusal(Refused(second, "ministry", refusal, None), first.exchange_id).headers)
    for name in ("Exchange-Id", "Ledger-Leaf", "Ledger-By"):
        assert again[name] == recorded[name]
    assert room.signing.asked[-1].received is second
    assert second.exchange_id not in room.opened()


def test_a_repeated_refusal_waits_for_the_record_and_not_for_ever(room: Room) -> None:
    first = room.fresh().message.request.received
    refused = Refused(room.fresh().message.request.received, None, Refusal(Code.PARTY_UNKNOWN), None)
    assert room.sealer.repeat_refusal(refused, first.exchange_id).status == 503
    late = threading.Timer(0.05, room.sealer.seal_refusal, [Refused(first, None, Refusal(Code.PARTY_UNKNOWN), None)])
    late.start()
    assert room.sealer.repeat_refusal(refused, first.exchange_id).status == 400
    late.join()
