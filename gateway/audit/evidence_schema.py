"""Evidence read back: canonical JSON with exactly the members that docs/formats.md gives, each of its type.

A value in another spelling (base64 not canonical, a time without its six digits) is no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from gateway.audit.verdict import Fault, Problem
from gateway.errors import Code  # noqa: TC001  the same
from gateway.ledger.encoding import FormatError, decode64, parse_canonical_json, parse_timestamp

_E = TypeVar("_E", bound="Evidence")
_M = TypeVar("_M", bound=BaseModel)

Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha-256=:[A-Za-z0-9+/]{43}=:$")]
Leaf = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
# JSON has one kind of string; these two are read out of theirs
Bytes = Annotated[bytes, BeforeValidator(lambda text: decode64(text) if isinstance(text, str) else text)]
Time = Annotated[datetime, BeforeValidator(lambda text: parse_timestamp(text) if isinstance(text, str) else text)]
#: A REST request's nonce, or a SOAP request's MessageID.
NONCE = r"^(?:[A-Za-z0-9+/_=-]{22,128}|urn:uuid:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"
#: The version of a format: a Literal would take ``true`` and ``1.0`` for it.
One = Annotated[int, Field(ge=1, le=1)]
Count = Annotated[int, Field(ge=0, lt=1 << 64)]
SideFile = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}\.(checkpoint|[a-z0-9][a-z0-9-]{0,62}\.tsr)$")]


class Evidence(BaseModel):
    """What all kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: One


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Proof(_Part):
    """A certificate, and what it was checked with."""

    sha256: Hex
    chain: tuple[Hex, ...]
    revocation: tuple[Hex, ...]


class AnswerPart(_Part):
    """The answer: its status, its Content-Digest, our signing certificate."""

    status: int = Field(ge=200, le=599)
    content_digest: Digest
    signing: Proof


class ContractPart(_Part):
    """The contract, by name and hash."""

    service: Word
    version: Word
    sha256: Hex


class PartiesPart(_Part):
    """Who took part."""

    caller: Name
    gateway: Name
    upstream: Name | None


def _present(value: object) -> object:
    if value is None:
        raise ValueError("left out, never null")
    return value


class SubjectPart(_Part):
    """A subject, by the ledger's keyed hash and by the caller's handle; its role where there are several."""

    ledger: Hex
    handle: Hex
    role: Annotated[Literal["survivor", "merged"] | None, BeforeValidator(_present)] = None


class RequestPart(_Part):
    """The caller's signature and its base."""

    base: str
    signature: Bytes
    label: str
    parameters: str
    algorithm: str
    content_digest: str | None
    signing: Proof
    tls: Proof


class MessagePart(_Part):
    """One signed SOAP message without its Body."""

    signed_info: Bytes
    signature: Bytes
    headers: Mapping[str, Bytes]
    signing: Proof


def request_form(request: object) -> str:
    """Which form a caller used: evidence of REST says none."""
    return "soap" if isinstance(request, Mapping) and "form" in request else "rest"


class SoapRequestPart(MessagePart):
    """The caller's signed SOAP message without its Body."""

    form: Literal["soap11", "soap12"]
    algorithm: str
    tls: Proof


class RestMessagePart(_Part):
    """One signed REST message between the gateway and an upstream: its base, which holds no body."""

    form: Literal["rest"]
    base: str
    signature: Bytes
    label: str
    parameters: str
    algorithm: str
    signing: Proof


class TlsMessagePart(_Part):
    """An answer that its owner does not sign: whose connection it came over; its digest where that tells nothing."""

    form: Literal["tls"]
    content_digest: Digest | None
    tls: Proof


class ApartMessagePart(_Part):
    """A message of personal data without a salt: what was signed of it, sealed to the officers' key (C5)."""

    form: Literal["apart"]
    officers: Hex
    sealed: Bytes
    signing: Proof


def _message_form(message: object) -> str:
    """In which form a message to or from an upstream is; evidence of SOAP says none."""
    if not isinstance(message, Mapping) or "form" not in message:
        return "soap"
    return str(message["form"]) if message["form"] in ("tls", "apart") else "rest"


class AttemptPart(_Part):
    """One try upstream."""

    at: Time
    outcome: str
    request: Annotated[
        Annotated[MessagePart, Tag("soap")]
        | Annotated[RestMessagePart, Tag("rest")]
        | Annotated[ApartMessagePart, Tag("apart")],
        Discriminator(_message_form),
    ]
    answer: (
        Annotated[
            Annotated[MessagePart, Tag("soap")]
            | Annotated[RestMessagePart, Tag("rest")]
            | Annotated[ApartMessagePart, Tag("apart")]
            | Annotated[TlsMessagePart, Tag("tls")],
            Discriminator(_message_form),
        ]
        | None
    )


class AcknowledgedPart(_Part):
    """What an acknowledgement repeats of the answer that it is about (L12); by SOAP with the Body that was signed."""

    exchange_id: Id
    ledger_leaf: Leaf
    answer_digest: Digest
    handle: Hex | None
    body: Annotated[Bytes | None, BeforeValidator(_present)] = None


class EffectPart(_Part):
    """An effect's key, as its keyed hash; the record's state before and after it, where its owner says so (P5)."""

    key: Hex
    before: Annotated[Hex | None, BeforeValidator(_present)] = None
    after: Annotated[Hex | None, BeforeValidator(_present)] = None


class Exchange(Evidence):
    """An exchange, or a refusal once the request's salt was claimed."""

    kind: Literal["exchange", "refusal"]
    exchange_id: Id
    received_at: Time
    operation: Word
    contract: ContractPart
    agreement: Word
    purpose: Word
    policy: Hex
    parties: PartiesPart
    subjects: tuple[SubjectPart, ...]
    fields: tuple[Word, ...]
    outcome: str
    request: Annotated[
        Annotated[RequestPart, Tag("rest")] | Annotated[SoapRequestPart, Tag("soap")], Discriminator(request_form)
    ]
    upstream: tuple[AttemptPart, ...]
    answer: AnswerPart
    acknowledges: Annotated[AcknowledgedPart | None, BeforeValidator(_present)] = None
    effect: Annotated[EffectPart | None, BeforeValidator(_present)] = None

    @property
    def released(self) -> bool:
        """Whether something was released."""
        return self.kind == "exchange"


class EarlyRefusal(Evidence):
    """A refusal before the salt was claimed (C6): nothing else of the request."""

    kind: Literal["refusal"]
    exchange_id: Id
    received_at: Time
    party: Name | None
    reason: Annotated[Code, Field(strict=False)]
    nonce: Annotated[str, StringConstraints(pattern=NONCE)] | None
    answer: AnswerPart


class Opening(Evidence):
    """A sealing writer's begin."""

    kind: Literal["opening"]
    writer: Id
    period: int
    role: Word
    period_key: Hex
    sealed_data_key: Bytes


class Void(Evidence):
    """A counter that stands for no record."""

    kind: Literal["void"]
    writer: Id
    counter: Count
    reason: Literal["commit failed", "abandoned"]


class Anchor(Evidence):
    """What came to lie beside the log: files below ``anchors/`` by name, each with its hash (L8)."""

    kind: Literal["anchor"]
    size: Annotated[int, Field(ge=1)]
    files: dict[SideFile, Hex]
    previous: Hex | None
    quorum: Annotated[int, Field(ge=1)] | None
    cosigned: tuple[str, ...]


class Closing(Evidence):
    """A writer's end."""

    kind: Literal["closing"]
    writer: Id
    highest: Count
    missing: tuple[Count, ...]


class Genesis(Evidence):
    """The log's begin."""

    kind: Literal["genesis"]
    origin: str
    policy: Hex
    log_key: str


class PolicyAct(Evidence):
    """What was done about the policy: proposed, approved, activated or refused; or about the log: recovered, lost."""

    kind: Literal["policy"]
    act: Literal["proposed", "approved", "activated", "refused", "recovered", "lost"]
    by: Literal["command", "start", "worker"]
    policy: Hex | None
    version: Annotated[int, Field(ge=1)] | None
    previous: Hex | None
    approvals: tuple[str, ...]
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,62}$")] | None
    document: Annotated[str | None, BeforeValidator(_present)] = None

    @model_validator(mode="after")
    def _has_what_its_act_has(self) -> PolicyAct:
        if (self.document is not None) != (self.act in {"recovered", "lost"}):
            raise ValueError("only what was recovered or lost has a document")
        named = self.policy is not None
        follows = (self.version is not None, self.previous is not None)
        approvals = min(len(self.approvals), 2)
        has = (named or self.act == "refused", follows, approvals, self.reason is not None)
        due = {
            "proposed": [(True, (True, True), 0, False)],
            "approved": [(True, (False, False), 1, False)],
            "activated": [(True, (True, True), 1, False), (True, (True, True), 2, False)],
            "refused": [(True, (False, False), 0, True)],
            "recovered": [(False, (False, False), 0, False)],
            "lost": [(False, (False, False), 1, False), (False, (False, False), 2, False)],
        }
        if has not in due[self.act]:
            raise ValueError("not the members of its act")
        return self


def read_evidence(data: bytes, model: type[_E]) -> _E:
    """Evidence of this model; raises Problem (evidence_malformed) naming the member, never its value."""
    return _validated(data, model)


def _validated(data: bytes, model: type[_M]) -> _M:
    try:
        parse_canonical_json(data)
        return model.model_validate_json(data)
    except FormatError as error:
        raise Problem(Fault.EVIDENCE_MALFORMED, str(error)) from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise Problem(Fault.EVIDENCE_MALFORMED, f"at {where[:80] or 'its top'}") from None


def read_message(data: bytes) -> MessagePart | RestMessagePart:
    """What was sealed apart of a message, opened; raises Problem."""
    try:
        in_rest = "form" in parse_canonical_json(data)
    except FormatError as error:
        raise Problem(Fault.EVIDENCE_MALFORMED, str(error)) from None
    return _validated(data, RestMessagePart) if in_rest else _validated(data, MessagePart)


def read_exchange(data: bytes, kind: str) -> Exchange | EarlyRefusal:
    """Evidence of an exchange or a refusal, told apart by their members; raises Problem."""
    try:
        early = kind == "refusal" and "reason" in parse_canonical_json(data)
    except FormatError as error:
        raise Problem(Fault.EVIDENCE_MALFORMED, str(error)) from None
    return read_evidence(data, EarlyRefusal) if early else read_evidence(data, Exchange)
