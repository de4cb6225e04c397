"""Evidence of a delivery read back, with exactly the members that docs/formats.md gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from gateway.audit.evidence_schema import (
    AttemptPart,
    ContractPart,
    Evidence,
    Hex,
    Id,
    PartiesPart,
    SubjectPart,
    Time,
    Word,
)

_LONGEST_REASON = 200


class Delivery(Evidence):
    """One round of a delivery, or what a person decided about it; the gateway is the caller."""

    kind: Literal["delivery"]
    exchange_id: Id
    delivery: Id
    notice: Id | None
    accepted_at: Time
    expires_at: Time
    received_at: Time
    operation: Word | None
    contract: ContractPart | None
    agreement: Word | None
    purpose: Word | None
    policy: Hex
    parties: PartiesPart
    subjects: Annotated[tuple[SubjectPart, ...], Field(max_length=1)]
    fields: tuple[Word, ...]
    outcome: Literal["delivered", "failed", "dead", "resent", "dropped"]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_REASON)] | None
    upstream: tuple[AttemptPart, ...]

    @property
    def released(self) -> bool:
        """Whether the addressee has said that it has it."""
        return self.outcome == "delivered"

    @property
    def told(self) -> bool:
        """Whether anything was sent."""
        return bool(self.upstream)

    @model_validator(mode="after")
    def _has_what_its_outcome_has(self) -> Delivery:
        terms = {value is None for value in (self.operation, self.contract, self.agreement, self.purpose)}
        if terms != {not self.told} or bool(self.fields) != self.told:
            raise ValueError("the terms of what was sent, and of nothing else")
        asked = {"delivered": [True], "failed": [True], "dead": [True, False], "resent": [False], "dropped": [False]}
        if self.told not in asked[self.outcome] or (self.reason is None) != self.released:
            raise ValueError("not the members of its outcome")
        known = {self.notice is not None, bool(self.subjects)}
        if known != {True} and (known != {False} or self.outcome != "dropped"):
            raise ValueError("the notice and its child, but of one that nobody could open")
        return self
