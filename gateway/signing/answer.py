"""Step 8's signature: the one that an answer has, and that is its receipt (S2, S3)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

from gateway.errors import Refusal
from gateway.model import Released, RequestSignature, SignedAnswer
from gateway.signing.base import TAG, lines
from gateway.signing.digest import content_digest
from gateway.signing.head import read_head

if TYPE_CHECKING:
    from gateway.model import AnswerToSign, CertificateProof, Content, Party, Received, VerifiedRequest
    from gateway.ports import Clock
    from gateway.signing.answer_key import AnswerKey
    from gateway.signing.request import RequestVerifier

LABEL = "answer"
SIGNING_KEY = "signing"


def keyid_of(sha256_hex: str) -> str:
    """A certificate's keyid (S1): base64url without padding of its SHA-256."""
    return urlsafe_b64encode(bytes.fromhex(sha256_hex)).decode().rstrip("=")


def answer_components(answer: AnswerToSign, origin: str) -> list[tuple[str, str]]:
    """What an answer's signature covers, identifiers as serialised (S2; C6 where no request was proven)."""
    pairs = [
        ('"@status"', str(answer.content.status)),
        ('"content-digest"', answer.content_digest),
        ('"exchange-id"', answer.exchange_id),
    ]
    if answer.ledger_leaf is not None and answer.ledger_by is not None:
        pairs += [('"ledger-leaf"', answer.ledger_leaf), ('"ledger-by"', answer.ledger_by)]
    pairs.append(('"@method";req', answer.received.method))
    if answer.request is None:
        return pairs + _bare_binding(answer.received)
    signature = answer.request.signature
    if not isinstance(signature, RequestSignature):
        raise TypeError("a SOAP request is not answered by REST")
    pairs.append(('"@target-uri";req', origin + answer.received.target))
    if answer.request.content_digest is not None:
        pairs.append(('"content-digest";req', answer.request.content_digest))
    return [
        *pairs,
        (f'"signature";req;key="{signature.label}"', f":{b64encode(signature.value).decode()}:"),
        (f'"signature-input";req;key="{signature.label}"', signature.parameters),
    ]


def _bare_binding(received: Received) -> list[tuple[str, str]]:
    # C6: of a request whose salt is not proven the answer covers no digest and no signature.
    try:
        head = read_head(received.headers)
    except Refusal:
        return []
    return [(f'"signature-input";req;key="{head.label}"', head.parameters)]


class RestSigning:
    """ports.Signing for REST: verifies requests, signs answers."""

    def __init__(self, verifier: RequestVerifier, key: AnswerKey, origin: str, clock: Clock) -> None:
        """``origin`` is ours, as callers address it; ``clock`` is for answers that have no leaf."""
        self._verifier = verifier
        self._key = key
        self._origin = origin
        self._clock = clock

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """Step 2; raises Refusal."""
        return self._verifier.verify(received, party)

    def signing_key(self) -> CertificateProof:
        """The certificate under which an answer that begins now is signed."""
        return self._key.proof()

    def content_digest(self, _received: Received, content: Content) -> str:
        """The Content-Digest field of the body (RFC 9530)."""
        return content_digest(content.body)

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        """The answer with its headers, its base and signature; raises KeystoreError."""
        pairs = answer_components(answer, self._origin)
        names = " ".join(identifier for identifier, _ in pairs)
        # of one moment with the leaf, though the clock be set in between
        created = int((answer.at or self._clock.now()).timestamp())
        name, certificate = self._key.of(answer)
        parameters = f'({names});created={created};keyid="{keyid_of(certificate)}";tag="{TAG}"'
        base = lines(pairs, parameters)
        signature = self._key.sign(name, base)
        return SignedAnswer(base, signature, _released(answer, parameters, signature))


def _released(answer: AnswerToSign, parameters: str, signature: bytes) -> Released:
    content = answer.content
    ledger = (
        ()
        if answer.ledger_leaf is None or answer.ledger_by is None
        else (("Ledger-Leaf", answer.ledger_leaf), ("Ledger-By", answer.ledger_by))
    )
    headers = (
        ("Content-Type", content.content_type),
        ("Content-Digest", answer.content_digest),
        ("Exchange-Id", answer.exchange_id),
        *ledger,
        *content.headers,
        ("Signature-Input", f"{LABEL}={parameters}"),
        ("Signature", f"{LABEL}=:{b64encode(signature).decode()}:"),
    )
    return Released(content.status, headers, content.body, recorded=answer.ledger_leaf is not None)
