"""What the outbox holds in the clear of each notice, and what is taken out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from uuid import UUID

State = Literal["waiting", "dead"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that is ours until the lease ends: nobody else tries it meanwhile.

    ``attempts`` is how many rounds there were before this one.
    """

    delivery: UUID
    attempts: int
    lease: UUID
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice as an operator sees it: no field of it, no child.

    ``reason`` is the code of the last failure, None before the first round; ``leased_until`` is None where nobody is at
    it.
    """

    delivery: UUID
    party: str
    state: State
    accepted: datetime
    due: datetime
    expires: datetime
    attempts: int
    reason: str | None
    leased_until: datetime | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for one party; ``oldest`` is when the first of those that wait was accepted."""

    party: str
    waiting: int
    failing: int
    dead: int
    oldest: datetime | None


def text_of(at: datetime) -> str:
    """UTC with microseconds, of one length, so that texts sort as times do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_of(text: str) -> datetime:
    """The time that ``text_of`` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
