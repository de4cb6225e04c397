"""policy.yaml: the one document that says who may do what (P1), read strictly and named by its hash."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic reads it when the models are built
from hashlib import sha256
from typing import Annotated, Literal

import yaml
from pydantic import (
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

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


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

    def covers(self, at: datetime) -> bool:
        """Whether the moment lies inside."""
        return self.since <= at < self.until


class Authority(_Strict):
    """An organisation's certificate authorities, PEM."""

    roots: tuple[str, ...] = Field(min_length=1)
    intermediates: tuple[str, ...] = ()


class Party(_Strict):
    """One party: how it is called, and by which names in which authority's certificates it is known."""

    title: Bilingual
    role: Literal["gateway", "cooperative", "civil-registry", "ministry", "auditor", "cyber-defence"]
    authority: Name
    names: tuple[Name, ...] = Field(min_length=1)
    suspended: bool = False


class Budget(_Strict):
    """Distinct subjects that may be disclosed in a window."""

    subjects: int = Field(gt=0)
    window_hours: int = Field(gt=0)


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
    """Who may change this document: ``threshold`` of these Ed25519 public keys (base64), judged by P1."""

    threshold: int = Field(ge=1)
    keys: dict[Name, str] = Field(min_length=1)
    recovery: dict[Name, str] = Field(default_factory=dict)
    widening_delay_hours: int = Field(ge=0)


class GuardRules(_Strict):
    """Limits that are not an agreement's."""

    refusals_per_minute: int = Field(gt=0)
    canaries: tuple[str, ...] = ()


class Bundle(_Strict):
    """The whole policy."""

    origin: Word
    version: int = Field(ge=1)
    previous: Sha256 | None
    validity: Validity
    gateway: Name
    officers: Officers
    authorities: dict[Name, Authority]
    parties: dict[Name, Party] = Field(min_length=1)
    agreements: dict[Word, Agreement]
    guard: GuardRules
    periods: dict[Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")], Sha256]

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
        if self.officers.threshold > len(self.officers.keys):
            raise ValueError("officers: the threshold is above their number")
        return self


def read_bundle(content: bytes) -> tuple[Bundle, str]:
    """The policy and the hex SHA-256 of its bytes, by which evidence names it; raises ConfigurationError."""
    try:
        bundle = Bundle.model_validate(load_yaml(content))
    except yaml.YAMLError:
        raise ConfigurationError("policy_not_yaml") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError("policy_invalid", where=where or "/", detail=first["msg"]) from None
    return bundle, sha256(content).hexdigest()


def version_and_previous(content: bytes) -> tuple[int, str | None]:
    """A bundle's version, and the hash of the one before it; raises ConfigurationError."""
    bundle, _ = read_bundle(content)
    return bundle.version, bundle.previous
