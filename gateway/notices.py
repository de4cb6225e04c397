"""Notices on their way to a party: what is to be told, and what came of one try, between the outbox and the ledger.

What lives here: values. What may not: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from gateway.model import Attempt, OperationRef
    from gateway.subject import DisclosedSubject


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, accepted and not yet known to its addressee.

    Attributes:
        delivery: by it the addressee knows one that comes twice.
        exchange: the exchange by which it was accepted.
        addressee: the party that is to be told.
        subject: the child, by the ledger's name and the addressee's own handle (N3).
        fields: canonical values by name, without the handle.
        accepted, expires: UTC; past the latter it is not delivered any more.
        secrets: the child's own, by which its family is told that the addressee has it (gateway.family).
    """

    delivery: UUID
    exchange: UUID
    addressee: str
    subject: DisclosedSubject
    fields: Mapping[str, object] = field(repr=False)
    accepted: datetime
    expires: datetime
    secrets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """What an addressee's system is told, as its adapter asks for it."""

    operation: OperationRef
    fields: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Telling:
    """Step 5 of a delivery: the agreement by which its addressee may be told, of these fields and no others.

    ``effect`` is None: the delivery's own id, among its fields, is what a repeat is known by.
    """

    message: ToldMessage
    agreement: str
    purpose: str
    policy_sha256: str
    effect: None = None


#: What came of a round: it was delivered; it was not, and will be tried again; it is a dead letter; a person sent it
#: again, or gave it up.
Outcome = Literal["delivered", "failed", "dead", "resent", "dropped"]


@dataclass(frozen=True, slots=True)
class Round:
    """One go at a delivery, or a person's decision about one, as evidence tells of it.

    Attributes:
        id: the leaf's.
        at: when it began, UTC.
        policy: hex SHA-256 of the bundle in force.
        telling: None where nobody was asked.
        attempts: what was sent, and what came back.
        reason: a code of ours where it failed or is dead; a person's words where one decided.
    """

    id: UUID
    notice: Notice
    at: datetime
    policy: str
    outcome: Outcome
    telling: Telling | None = None
    attempts: tuple[Attempt, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A notice that nobody can open any more, given up by a person: what its row says in the clear, and no more.

    Attributes:
        id: the leaf's.
        accepted, expires: UTC, as the row has them.
        at: when it was given up, UTC.
        policy: hex SHA-256 of the bundle in force.
        reason: the person's words.
    """

    id: UUID
    delivery: UUID
    addressee: str
    accepted: datetime
    expires: datetime
    at: datetime
    policy: str
    reason: str
