"""policy.yaml: the one document that says who may do what (P1), read strictly and named by its hash."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Literal

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from contracts.strict_yaml import load_yaml
from gateway.errors import ConfigurationError
from gateway.policy.officer_keys import load_officer_key
from gateway.policy.outside import Timestamping, Witnessing  # noqa: TC001  pydantic reads them as it does datetime

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
#: Without a dot: a party's files are named by what stands before the first one.
PartyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: More than two hundred parties with their authorities; what is larger is not read.
LARGEST_POLICY = 1 << 20
#: The YAML library takes ten seconds for a megabyte of commas, in a thread of each worker. A policy of that size is
#: certificates, which have few marks.
MOST_MARKS = 50_000
_MARKS = b",:-[{\n"
#: Where a single officer is enough: nowhere else.
DEVELOPMENT = ".development"
_YEAR_HOURS = 366 * 24
LONGEST_REASON = 200


def _certificate(pem: str) -> str:
    """The text as it is; raises ValueError unless it is one certificate."""
    if pem.count("-----BEGIN ") != 1:
        raise ValueError("not one certificate in PEM")
    certificate_der(pem)
    return pem


def certificate_der(pem: str) -> bytes:
    """DER of a certificate; raises ValueError when it is none."""
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def _officer_key(text: str) -> str:
    load_officer_key(text)
    return text


Pem = Annotated[str, AfterValidator(_certificate)]
OfficerKeyText = Annotated[str, AfterValidator(_officer_key)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    """A text in both languages."""

    fr: str
    en: str


class Validity(_Strict):
    """From (included) until (excluded)."""

    since: AwareDatetime
    until: AwareDatetime

    @model_validator(mode="after")
    def _has_a_length(self) -> Validity:
        if self.since >= self.until:
            raise ValueError("it ends before it begins")
        return self

    def covers(self, at: datetime) -> bool:
        """Whether the moment lies inside."""
        return self.since <= at < self.until


class Authority(_Strict):
    """An organisation's certificate authorities, PEM."""

    roots: tuple[Pem, ...] = Field(min_length=1)
    intermediates: tuple[Pem, ...] = ()


class Party(_Strict):
    """One party: how it is called, and by which names in which authority's certificates it is known.

    ``unsigned``: its systems answer us without a signature, so that mutual TLS alone vouches for what they say.
    ``sealed_apart``: its messages of personal data have no salt, so that evidence holds what was signed of them only
    sealed to the officers' public key of this hex SHA-256 (C5).
    """

    title: Bilingual
    role: Literal["gateway", "cooperative", "civil-registry", "ministry", "auditor", "cyber-defence"]
    authority: Name
    names: tuple[Name, ...] = Field(min_length=1)
    suspended: bool = False
    unsigned: bool = False
    sealed_apart: Sha256 | None = None


class BreakGlass(_Strict):
    """How far, and for how long at once, officers may raise a budget without the delay of what widens (P2)."""

    subjects: int = Field(gt=0)
    hours: int = Field(gt=0, le=168)

    def allows(self, subjects: int, validity: Validity) -> bool:
        """Whether so many more subjects, for this time, are inside the ceiling."""
        return subjects <= self.subjects and validity.until - validity.since <= timedelta(hours=self.hours)


class Raised(_Strict):
    """So many subjects more, for a time; it ends by itself. Officers read the ``reason`` when they sign."""

    subjects: int = Field(gt=0)
    validity: Validity
    reason: str | None = Field(None, min_length=1, max_length=LONGEST_REASON)


class Budget(_Strict):
    """Distinct subjects that may be disclosed in a window, which slides; ``raised`` stays inside ``break_glass``."""

    subjects: int = Field(gt=0)
    window_hours: int = Field(gt=0, le=_YEAR_HOURS)
    break_glass: BreakGlass | None = None
    raised: Raised | None = None

    @model_validator(mode="after")
    def _stays_inside(self) -> Budget:
        raised, ceiling = self.raised, self.break_glass
        if raised is not None and (ceiling is None or not ceiling.allows(raised.subjects, raised.validity)):
            raise ValueError("raised goes beyond break_glass")
        return self

    def at(self, moment: datetime) -> int:
        """How many subjects it allows at this moment."""
        raised = self.raised
        return self.subjects + (raised.subjects if raised is not None and raised.validity.covers(moment) else 0)


class Agreement(_Strict):
    """An entente: what allows one party an operation, for purposes, on named fields."""

    party: Name
    operation: Word
    purposes: tuple[Word, ...] = Field(min_length=1)
    legal_basis: Bilingual
    fields: tuple[Word, ...] = Field(min_length=1)
    tells_not_found: bool = False
    budget: Budget | None = None
    validity: Validity


class Officers(_Strict):
    """Who may change this document (P1): ``threshold`` of ``keys``, which are Ed25519 or P-256 (officer_keys).

    ``recovery`` are officers of last resort: ``recovery_threshold`` of them may replace the officers, and nothing
    else, after ``recovery_delay_hours``. Widening waits for ``widening_delay_hours`` (P2).
    """

    threshold: int = Field(ge=1)
    keys: dict[Name, OfficerKeyText] = Field(min_length=1)
    recovery: dict[Name, OfficerKeyText] = Field(default_factory=dict)
    recovery_threshold: int | None = Field(None, ge=1)
    recovery_delay_hours: int | None = Field(None, ge=0, le=_YEAR_HOURS)
    widening_delay_hours: int = Field(ge=0, le=_YEAR_HOURS)

    @model_validator(mode="after")
    def _can_decide(self) -> Officers:
        if self.threshold > len(self.keys):
            raise ValueError("the threshold is above their number")
        texts = [*self.keys.values(), *self.recovery.values()]
        if len(set(texts)) != len(texts) or not self.keys.keys().isdisjoint(self.recovery):
            raise ValueError("two officers have one key, or one name")
        return self

    @model_validator(mode="after")
    def _can_recover(self) -> Officers:
        given = (self.recovery_threshold, self.recovery_delay_hours)
        if not self.recovery:
            if given != (None, None):
                raise ValueError("recovery_threshold and recovery_delay_hours need a recovery set")
            return self
        threshold, delay = given
        if threshold is None or delay is None:
            raise ValueError("a recovery set needs recovery_threshold and recovery_delay_hours")
        if threshold > len(self.recovery):
            raise ValueError("the recovery threshold is above their number")
        if delay < self.widening_delay_hours:
            raise ValueError("recovery_delay_hours is below widening_delay_hours")
        return self

    @property
    def single(self) -> bool:
        """Whether one person alone can change everything."""
        return 1 in {self.threshold, self.recovery_threshold}


class GuardRules(_Strict):
    """Limits that are not an agreement's."""

    refusals_per_minute: int = Field(gt=0)
    canaries: tuple[str, ...] = ()
    revocation_grace_hours: int = Field(0, ge=0, le=168)


class Retention(_Strict):
    """How long sealed evidence is kept at least (L9): ``months`` after its period has ended.

    ``auditors`` are the keys under which an auditor says that the range held, before it may be destroyed.
    """

    months: int = Field(ge=1, le=1200)
    auditors: dict[Name, OfficerKeyText] = Field(min_length=1)


class Bundle(_Strict):
    """The whole policy."""

    origin: Word
    version: int = Field(ge=1, le=1_000_000_000)
    previous: Sha256 | None
    validity: Validity
    gateway: Name
    officers: Officers
    authorities: dict[Name, Authority]
    parties: dict[PartyName, Party] = Field(min_length=1)
    agreements: dict[Word, Agreement]
    guard: GuardRules
    periods: dict[Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")], Sha256]
    witnessing: Witnessing | None = None
    timestamping: Timestamping | None = None
    retention: Retention | None = None

    @property
    def development(self) -> bool:
        """Whether this is a set-up to try things out, where one officer may be enough."""
        return self.origin.endswith(DEVELOPMENT)

    @model_validator(mode="after")
    def _refers_to_what_it_has(self) -> Bundle:
        for name, party in self.parties.items():
            if party.authority not in self.authorities:
                raise ValueError(f"parties.{name}: authority {party.authority} is not in authorities")
        for word, agreement in self.agreements.items():
            if agreement.party not in self.parties:
                raise ValueError(f"agreements.{word}: party {agreement.party} is not in parties")
        if self.gateway not in self.parties:
            raise ValueError(f"gateway: {self.gateway} is not in parties")
        return self

    @model_validator(mode="after")
    def _audits_apart(self) -> Bundle:
        # who decides on destruction must not be who says that it may be
        keys = {*self.officers.keys.values(), *self.officers.recovery.values()}
        if self.retention is not None and not keys.isdisjoint(self.retention.auditors.values()):
            raise ValueError("retention: an auditor has the key of an officer")
        return self

    @model_validator(mode="after")
    def _is_no_one_person_s(self) -> Bundle:
        if self.officers.single and not self.development:
            raise ValueError(f"officers: one person alone may decide only where the origin ends in {DEVELOPMENT}")
        return self

    @model_validator(mode="after")
    def _knows_each_certificate_once(self) -> Bundle:
        # else whose a certificate is would hang on the order, and to suspend one party could admit another
        owners: dict[tuple[bytes, str], str] = {}
        for party, known in self.parties.items():
            for pem in self.authorities[known.authority].roots:
                for name in known.names:
                    owner = owners.setdefault((certificate_der(pem), name), party)
                    if owner != party:
                        raise ValueError(f"parties.{party}: the name {name} under one root is also that of {owner}")
        return self


def read_bundle(content: bytes) -> tuple[Bundle, str]:
    """The policy and the hex SHA-256 of its bytes, by which evidence names it; raises ConfigurationError."""
    if sum(content.count(mark) for mark in _MARKS) > MOST_MARKS:
        raise ConfigurationError("policy_invalid", where="/", detail="too many marks")
    try:
        bundle = Bundle.model_validate(load_yaml(content))
    except yaml.YAMLError as error:
        raise ConfigurationError("policy_not_yaml", where=_line(error), detail=_problem(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError("policy_invalid", where=where or "/", detail=first["msg"]) from None
    return bundle, sha256(content).hexdigest()


def _line(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return "/" if mark is None else f"L{mark.line + 1}"


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong with the YAML, in the library's few words, which quote nothing but a character or a type."""
    return "YAML" if not isinstance(error, yaml.MarkedYAMLError) else f"YAML, {error.problem}"
