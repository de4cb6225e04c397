"""The frozen types that travel between the rooms; each is the proof that the step before it was done.

What lives here: values. What may not: behaviour, input and output, anything that names a room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gateway.errors import Refusal
from gateway.signed import ApartPart, CertificateProof, RequestSignature, RestPart, SignedPart, SoapSignature, TlsPart
from gateway.subject import DisclosedSubject, Disclosure, Nirec, SubjectAct, SubjectRequest, SubjectRole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from lxml import etree

    from gateway.change import Change
    from gateway.effect import Effect, States
    from gateway.errors import Code

#: Signatures, certificates and subjects have modules of their own, and are met here with the rest.
__all__ = [
    "ApartPart", "CertificateProof", "DisclosedSubject", "Disclosure", "Nirec", "RequestSignature", "RestPart",
    "SignedPart", "SoapSignature", "SubjectAct", "SubjectRequest", "SubjectRole", "TlsPart",
]  # fmt: skip


#: In which form a request came, and its answer leaves: JSON by REST, or XML by SOAP 1.1 or 1.2 (C3).
Form = Literal["rest", "soap11", "soap12"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request exactly as it came off the wire.

    Attributes:
        exchange_id: UUIDv4 given by us on arrival.
        method: as on the request line.
        target: raw path and query as on the request line, never decoded.
        headers: lower-case name to value; repeated fields joined by a comma, in order.
        body: as received, before any parsing.
        tls_certificate: DER of the client certificate that the handshake proved.
        at: our clock, UTC.
        oversize: the body was larger than we read; ``body`` is then empty.
        form: by its target and Content-Type alone; nothing of the request is proven by it.
    """

    exchange_id: UUID
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tls_certificate: bytes = field(repr=False)
    at: datetime
    oversize: bool = False
    form: Form = "rest"


@dataclass(frozen=True, slots=True)
class Party:
    """Step 1: whoever holds this TLS certificate is this party of the policy."""

    name: str
    tls: CertificateProof


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose signing certificate (DER) a keyid names, found valid."""

    party: str
    certificate: bytes = field(repr=False)
    proof: CertificateProof


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """Step 2: these bytes were signed by this party. The only thing that later steps accept.

    ``content_digest`` is the header of a REST request with a body; ``body`` the very element below the Body that a SOAP
    signature names.
    """

    party: Party
    received: Received
    signature: RequestSignature | SoapSignature
    content_digest: str | None
    body: etree._Element | None = field(default=None, repr=False, compare=False)

    @property
    def form(self) -> Form:
        """In which form it came."""
        return self.received.form


@dataclass(frozen=True, slots=True)
class OperationRef:
    """An operation of a contract, as evidence names it; ``sha256`` is the hex digest of contract.yaml."""

    name: str
    service: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """How an answer's fields become what the agreement allows (step 7), as the contract declares it.

    Attributes:
        identifier: the request field that holds a NIREC; None where the operation has none.
        handle: the answer field that receives the caller's handle for the subject.
        field, confirmed: the subject is disclosed only when this answer field has this value (N4); None: always.
        conceal: (field, value, said instead) where the agreement does not tell not_found apart (N4).
        act: what becomes of the subject.
        given: the request fields that hold handles of the caller's.
        reason: the request field that says why two subjects are one.
        listed: the answer field that holds items, each with the upstream's handle; ``handle`` is then of an item.
        most: so many items it holds at most.
        tried: the request fields of personal data that are tried with the identifier: a name and a birth date (N4).
        refuse: (field, value, code) of an upstream's answer that is a refusal to the caller.
    """

    identifier: str | None
    handle: str
    field: str | None
    confirmed: str | None
    conceal: tuple[tuple[str, str, str], ...]
    act: SubjectAct = "disclose"
    given: tuple[str, ...] = ()
    reason: str | None = None
    listed: str | None = None
    refuse: tuple[tuple[str, str, Code], ...] = ()
    most: int = 0
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a caller says that it received (L12), as its signed message has it.

    Attributes:
        exchange_id: of the exchange that is acknowledged.
        ledger_leaf: the Ledger-Leaf of its answer.
        answer_digest: the Content-Digest of its answer.
        handle: the handle that the answer gave; None where it gave none.
        body: by SOAP, the canonical Body that says so, which nobody could write again; None by REST.
    """

    exchange_id: str
    ledger_leaf: str
    answer_digest: str
    handle: str | None
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """Step 3: the canonical message, valid under its contract, its salt present and sound (C4).

    Attributes:
        fields: canonical values by name; an identifier is a ``Nirec``, never a str. Without the salt.
        salt: at least 16 bytes, or None where the contract holds public fields only.
        disclosable: the names of the answer's fields, without the salt.
        upstream: the name of the system that answers.
        reduction: how its answer is reduced; None where there is nothing of a subject in it.
        acknowledges: of an acknowledgement, the answer that it is about; None in every other message.
        headers: further header fields of its answer, such as Sunset.
        key: the caller's Idempotency-Key of an operation that has an effect; None of every other.
        states: the answer's fields that hold the state's digests before and after the effect (P5).
    """

    request: VerifiedRequest
    operation: OperationRef
    fields: Mapping[str, object] = field(repr=False)
    salt: bytes | None = field(repr=False)
    agreement: str
    purpose: str
    disclosable: frozenset[str]
    upstream: str
    reduction: Reduction | None
    acknowledges: Acknowledged | None = None
    headers: tuple[tuple[str, str], ...] = ()
    key: str | None = field(default=None, repr=False)
    states: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Step 4: this nonce and this salt were never seen before, in any worker."""

    message: Message


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an agreement's budget allows: so many distinct subjects within any so many hours (P4)."""

    subjects: int
    window_hours: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Step 5: the agreement that allows this message, and what it lets out.

    Attributes:
        fields: names of the answer's fields that may be released.
        tells_not_found: whether not_found may be told apart from not_confirmed (N4).
        policy_sha256: hex digest of the bundle that granted it.
        budget: the agreement's; None where it has none.
        reserved: so many subjects are held of it until it is known whom the exchange discloses.
        effect: what it will have done, once; None of an operation without effect.
    """

    message: Message
    agreement: str
    purpose: str
    fields: frozenset[str]
    tells_not_found: bool
    policy_sha256: str
    budget: Allowance | None = None
    reserved: int = 0
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try upstream: what we sent, and what came back where its signature and salt held (C6).

    ``outcome`` is ``answered`` or the code of the error that ended it.
    """

    at: datetime
    outcome: str
    request: SignedPart | RestPart | ApartPart
    answer: SignedPart | RestPart | ApartPart | TlsPart | None


class UpstreamRefusal(Refusal):
    """The other system did not give an answer that can be used; what was tried is kept for evidence."""

    def __init__(self, code: Code, *, attempts: tuple[Attempt, ...] = (), retry_after: int | None = None) -> None:
        super().__init__(code, retry_after=retry_after)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Reply:
    """Step 6: what the other system answered, its signature verified.

    Attributes:
        upstream: its party's name.
        changes: what answering changes at rest here, where it is a room of ours that answers.
    """

    upstream: str | None
    fields: Mapping[str, object] = field(repr=False)
    attempts: tuple[Attempt, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What is answered, in the caller's own form, before anything is signed.

    Attributes:
        body: REST: as it leaves; SOAP: the one element of the Body, in exclusive canonical form.
        headers: further HTTP header fields, such as Retry-After.
    """

    status: int
    content_type: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Step 7: what leaves, reduced to the agreement, its salt included; ``changes`` are made with its record."""

    content: Content
    disclosed: tuple[str, ...]
    subjects: tuple[DisclosedSubject, ...]
    changes: tuple[Change, ...] = ()
    states: States | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """Step 8: recorded durably, signed, and free to leave. Also what the face renders.

    ``recorded`` is False of the one answer that has no leaf (not_recorded).
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal on its way to be sealed, with as much as was proven before it.

    ``proven`` is the furthest proof: None before step 2, the request before its salt was claimed
    (evidence then keeps no digest of it, C6), the claim or grant after. ``changes`` are made with its record.
    """

    received: Received
    party: str | None
    refusal: Refusal
    proven: VerifiedRequest | Claim | Grant | None
    attempts: tuple[Attempt, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerToSign:
    """All that an answer's signature covers (S2, S4), before it is signed.

    ``request`` is the verified request, or None where evidence may keep no digest of it (C6); ``at`` is the leaf's
    time, None where there is no leaf; ``signer`` is the hex SHA-256 of the signing certificate that the evidence names,
    None where there is no evidence; ``nonce`` is the one that evidence keeps of a refused request.
    """

    content: Content
    content_digest: str
    exchange_id: str
    ledger_leaf: str | None
    ledger_by: str | None
    received: Received
    request: VerifiedRequest | None
    at: datetime | None = None
    signer: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """What the record keeps of an answer, and the answer itself, which must not leave before the record is durable.

    Attributes:
        base: REST: the signature base; SOAP: canonical JSON of the header blocks and the SignedInfo (docs/formats.md).
        signature: raw, low-S.
    """

    base: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    released: Released


LeafKind = Literal[
    "exchange", "refusal", "intent", "opening", "void", "closing", "genesis", "policy", "anchor", "destruction",
    "handover", "delivery",
]  # fmt: skip
