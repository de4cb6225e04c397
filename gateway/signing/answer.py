"""Step 8's signature: the one that an answer has, and that is its receipt (S2, S3)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import Refusal
from gateway.model import SignedAnswer
from gateway.signing.base import TAG, lines
from gateway.signing.head import read_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import AnswerToSign, CertificateProof, Party, Received, VerifiedRequest
    from gateway.ports import Clock, Keystore
    from gateway.signing.request import RequestVerifier

LABEL = "answer"
SIGNING_KEY = "signing"


def keyid_of(sha256_hex: str) -> str:
    """A certificate's keyid (S1): base64url without padding of its SHA-256."""
    return urlsafe_b64encode(bytes.fromhex(sha256_hex)).decode().rstrip("=")


def answer_components(answer: AnswerToSign, origin: str) -> list[tuple[str, str]]:
    """What an answer's signature covers, identifiers as serialised (S2; C6 where no request was proven)."""
    pairs = [
        ('"@status"', str(answer.status)),
        ('"content-digest"', answer.content_digest),
        ('"exchange-id"', answer.exchange_id),
    ]
    if answer.ledger_leaf is not None and answer.ledger_by is not None:
        pairs += [('"ledger-leaf"', answer.ledger_leaf), ('"ledger-by"', answer.ledger_by)]
    pairs.append(('"@method";req', answer.received.method))
    if answer.request is None:
        return pairs + _bare_binding(answer.received)
    signature = answer.request.signature
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
    """ports.Signing: verifies requests, signs answers with the gateway's P-256 key through the keystore."""

    def __init__(
        self,
        verifier: RequestVerifier,
        keystore: Keystore,
        prove: Callable[[bytes], CertificateProof],
        origin: str,
        clock: Clock,
        key: Callable[[], str] = lambda: SIGNING_KEY,
    ) -> None:
        """One per process.

        Args:
            verifier: step 2.
            keystore: has our signing keys and certificates.
            prove: judges a certificate of ours (DER) as of now: its revocation lists are renewed while we run.
            origin: ours, as callers address it.
            clock: for answers that have no leaf.
            key: names the signing key in use, anew each time: it may have been rotated.
        """
        self._verifier = verifier
        self._keystore = keystore
        self._prove = prove
        self._origin = origin
        self._clock = clock
        self._key = key
        self._names: dict[str, str] = {}
        self._current()

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """Step 2; raises Refusal."""
        return self._verifier.verify(received, party)

    def signing_key(self) -> CertificateProof:
        """The certificate under which an answer that begins now is signed."""
        name, certificate = self._current()
        proof = self._prove(certificate)
        self._names[proof.sha256] = name
        return proof

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        """The answer's base, signature and headers; raises KeystoreError."""
        pairs = answer_components(answer, self._origin)
        names = " ".join(identifier for identifier, _ in pairs)
        # of one moment with the leaf, though the clock be set in between
        created = int((answer.at or self._clock.now()).timestamp())
        name, certificate = self._signer(answer)
        parameters = f'({names});created={created};keyid="{keyid_of(certificate)}";tag="{TAG}"'
        base = lines(pairs, parameters)
        signature = self._keystore.sign(name, base)
        return SignedAnswer(base, signature, f"{LABEL}={parameters}", f"{LABEL}=:{b64encode(signature).decode()}:")

    def _signer(self, answer: AnswerToSign) -> tuple[str, str]:
        """The key's name and its certificate's hex SHA-256: those that the evidence names, though others came since."""
        if answer.signer is not None:
            return self._names[answer.signer], answer.signer
        name, certificate = self._current()
        return name, sha256(certificate).hexdigest()

    def _current(self) -> tuple[str, bytes]:
        name = self._key()
        return name, self._keystore.certificate(name)
