"""The seams between the rooms, and between the rooms and the world, as protocols.

What lives here: what a room offers to the exchange or asks of the world. What may not: an implementation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from gateway.change import Change
    from gateway.effect import Effect
    from gateway.model import (
        Answer,
        AnswerToSign,
        CertificateProof,
        Claim,
        Content,
        DisclosedSubject,
        Disclosure,
        Grant,
        Message,
        Party,
        Received,
        Refused,
        Released,
        Reply,
        SignedAnswer,
        Signer,
        SubjectRequest,
        VerifiedRequest,
    )

T = TypeVar("T")


class Clock(Protocol):
    """The time, passed in and never patched."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines."""
        ...


class Randomness(Protocol):
    """Unpredictable bytes, passed in."""

    def bytes(self, count: int) -> bytes:
        """``count`` bytes from the system's generator."""
        ...

    def uuid(self) -> UUID:
        """A UUIDv4."""
        ...


class Keystore(Protocol):
    """Keys that never leave (S7): a raw key has no way out of it.

    Raises ``KeystoreError`` when the key is absent or the store cannot be reached.
    """

    def sign(self, key_id: str, data: bytes) -> bytes:
        """Signature over ``data``: ECDSA P-256 with SHA-256 as raw r||s with low s, or Ed25519."""
        ...

    def mac(self, key_id: str, data: bytes) -> bytes:
        """HMAC-SHA-256 of ``data``, 32 bytes."""
        ...

    def certificate(self, key_id: str) -> bytes:
        """DER of the certificate that goes with a signing key."""
        ...


class Identity(Protocol):
    """Step 1."""

    def identify(self, received: Received) -> Party:
        """The party that holds the TLS certificate; raises Refusal."""
        ...


class Signers(Protocol):
    """Whose key a keyid names."""

    def signer(self, keyid: str, at: datetime) -> Signer:
        """The party and its signing certificate, found valid at that time; raises Refusal."""
        ...


class KnownSigners(Signers, Protocol):
    """Whose key a keyid names, and which certificates a party is known by."""

    def certificates(self, party: str) -> Sequence[bytes]:
        """A party's known signing certificates (DER), none of them vetted yet."""
        ...


class Signing(Protocol):
    """Step 2, and the signature of step 8; in the form in which the request came."""

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """The request as signed by this party; raises Refusal naming the component that failed."""
        ...

    def content_digest(self, received: Received, content: Content) -> str:
        """The digest by which evidence and answer bind this content: ``sha-256=:...:`` (S3)."""
        ...

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        """The answer under its one signature (S2, S3, S4); raises KeystoreError."""
        ...

    def signing_key(self) -> CertificateProof:
        """The certificate under which answers are signed."""
        ...


class Translation(Protocol):
    """Step 3, and the form of step 7."""

    def translate_in(self, request: VerifiedRequest) -> Message:
        """The canonical message; raises Refusal."""
        ...

    def translate_out(self, grant: Grant, fields: dict[str, object]) -> bytes:
        """The answer's body in the caller's form, with a fresh salt where the contract asks for one."""
        ...


class Guard(Protocol):
    """Step 4, and the limits on refusals."""

    def claim(self, message: Message) -> Claim:
        """Nonce and salt claimed once, over all workers and restarts; raises Refusal."""
        ...

    def first_refusal(self, key: str, received: Received) -> UUID:
        """The exchange id under which this minute's refusals of ``key`` are recorded; ours if it is the first."""
        ...

    def refusals_exceeded(self, party: str, at: datetime) -> bool:
        """Counts one more refusal of a party; whether it had more in this minute than the policy allows."""
        ...


class Policy(Protocol):
    """Step 5."""

    def authorise(self, claim: Claim) -> Grant:
        """The agreement that allows it; deny by default; raises Refusal."""
        ...


class Budgets(Protocol):
    """Of how many distinct subjects a party may learn (P4): taken in step 5, settled in step 7."""

    def reserve(self, grant: Grant, known: Sequence[Sequence[str]]) -> Grant:
        """The grant, what it can cost spent before anybody is asked; raises Refusal (``budget_spent``).

        ``known`` are the subjects that the request names by handles, each by all its names (``Subjects.check``).
        """
        ...

    def settle(self, grant: Grant, subjects: Sequence[DisclosedSubject]) -> Grant:
        """The grant, what it held given back but for those who are disclosed."""
        ...


class Upstream(Protocol):
    """One outside system, behind its adapter (step 6)."""

    def call(self, grant: Grant) -> Reply:
        """The verified answer, inside one deadline; raises UpstreamRefusal, which carries its attempts."""
        ...


class Subjects(Protocol):
    """NIREC to subject, subject to handles, over the years (N2, N3)."""

    def check(self, handles: Sequence[str], party: str) -> tuple[tuple[str, ...], ...]:
        """The subjects of these handles if each was given to this party; raises Refusal, the same for all others (N4).

        Each by the ledger's hashes: its own first, then those of the ones that were merged into it.
        """
        ...

    def named_for(self, handles: Sequence[str], party: str, other: str) -> tuple[str, ...]:
        """What another party calls the subjects that this one names; raises Refusal (``not_registered``)."""
        ...

    def introduced(self, handles: Sequence[str], party: str, other: str) -> tuple[tuple[str, ...], tuple[Change, ...]]:
        """The same, each that it was never told of under the handle that it is given now, and what that changes."""
        ...

    def disclose(self, request: SubjectRequest) -> Disclosure:
        """The subject, named for this party and for the ledger, and the change that comes with the record.

        Raises Refusal.
        """
        ...


class Effects(Protocol):
    """What an operation has done elsewhere, once per key (L4)."""

    def effect(self, grant: Grant) -> Effect | None:
        """The effect that this exchange will have; None of an operation without any."""
        ...


class FamilyNotes(Protocol):
    """What a child's family can be told later: beside step 7."""

    def noted(self, grant: Grant, told: Disclosure, fields: Iterable[str]) -> tuple[Change, ...]:
        """What comes with the record, so that each of these children's families can be told of it."""
        ...


class Ledger(Protocol):
    """Step 8."""

    def intend(self, grant: Grant, changes: tuple[Change, ...]) -> None:
        """Records durably, with these changes, that the grant's effect is about to be asked for.

        Raises NotRecordedError; Refusal where one of the changes cannot be made. Nothing may be asked for then.
        """
        ...

    def seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        """Recorded, then released; a failure to record is an answer without data (``not_recorded``).

        Raises Refusal where the change that comes with the record cannot be made any more: neither is in then.
        """
        ...

    def seal_refusal(self, refused: Refused) -> Released:
        """The same for a refusal."""
        ...

    def repeat_refusal(self, refused: Refused, recorded: UUID) -> Released:
        """The answer to a refusal that is recorded already, in another exchange of the same minute."""
        ...

    def not_recorded(self, refused: Refused) -> Released:
        """The one answer without a leaf, where nothing could be recorded; raises where it cannot be signed either."""
        ...


class FoundRecord(Protocol):
    """What is known of a recorded exchange by its id; ``index`` is None until it is sequenced."""

    @property
    def leaf(self) -> bytes:
        """The leaf."""
        ...

    @property
    def party(self) -> str | None:
        """Whose exchange it is."""
        ...

    @property
    def index(self) -> int | None:
        """Where it stands in the log."""
        ...


class RecordFinder(Protocol):
    """Looks a recorded exchange or refusal up."""

    def __call__(self, exchange_id: UUID) -> FoundRecord | None:
        """The record, or None."""
        ...


class Provable(Protocol):
    """A proof of inclusion."""

    def text(self) -> str:
        """The proof as ``c2sp.org/tlog-proof@v1``."""
        ...


class ProofReader(Protocol):
    """Makes proofs from the published log."""

    def inclusion(self, index: int, digest: bytes) -> Provable | None:
        """The proof for a leaf hash at an index; None until a published checkpoint covers it."""
        ...


class Handler(Protocol):
    """The eight steps, under whichever policy is in force."""

    def handle(self, received: Received) -> Released:
        """The signed, recorded answer; a refusal is one too."""
        ...


class Stop(Protocol):
    """That a process is to end: told at any instant, a signal handler's included."""

    def set(self) -> None:
        """Tells it; once is enough."""
        ...

    def is_set(self) -> bool:
        """Whether it has been told."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Returns when it is told, or after ``timeout`` seconds; whether it was."""
        ...


class Baton(Protocol):
    """Waited for by one, given by another, once."""

    def acquire(self) -> None:
        """Returns when it has been given."""
        ...

    def release(self) -> None:
        """Gives it; from any thread."""
        ...


class Waiting(Protocol):
    """How work waits: by blocking its thread, or, in a worker's loop, by letting the loop serve others."""

    def blocking(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises, work that may block."""
        ...

    def baton(self) -> Baton:
        """To be acquired where it was made."""
        ...

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        ...
