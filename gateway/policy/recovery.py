"""What a recovery lost, as officers name it: what they sign, and whether it counts (DESIGN L7).

    passerelle-loss/v1
    origin passerelle.development
    recovery <hex SHA-256 of the recovery's document>
    size 1280
    root <hex>
    since 2026-11-23T02:39:48.000000Z
    until 2026-11-23T02:52:10.000000Z
    reason machine-lost
    exchange <uuid>

Answers that were given between ``since`` and ``until`` may be in no log; an ``exchange`` line for each of which it is
known, from the receipts that parties kept. Everything but the last two is the recovery's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.policy.acts import Act, ActKind, act_time
from gateway.policy.judge import in_force_at, signed_by_officers
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.policy.judge import InForce

FORMAT = "passerelle-loss/v1"
#: So long, by the log's own times, officers may take to sign what was lost: a long week-end.
NAMED_WITHIN = timedelta(hours=96)
#: More than a thousand exchanges.
LARGEST_LOSS = 1 << 16
EXCHANGE_ID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_LINES = re.compile(
    rf"{re.escape(FORMAT)}\n"
    r"origin (?P<origin>[A-Za-z0-9][A-Za-z0-9._-]{0,62})\n"
    r"recovery (?P<recovery>[0-9a-f]{64})\n"
    r"size (?P<size>[1-9][0-9]{0,17})\n"
    r"root (?P<root>[0-9a-f]{64})\n"
    r"since (?P<since>[0-9TZ:.-]{27})\n"
    r"until (?P<until>[0-9TZ:.-]{27})\n"
    r"reason (?P<reason>[a-z-]+)\n"
    rf"(?P<exchanges>(?:exchange {EXCHANGE_ID}\n)*)"
)


class Cause(StrEnum):
    """Why there was something to recover."""

    DATABASE_LOST = "database-lost"
    DATABASE_DAMAGED = "database-damaged"
    MACHINE_LOST = "machine-lost"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a recovery lost.

    Attributes:
        origin: the log's name.
        recovery: hex SHA-256 of the document in the recovery's leaf.
        size, root: of the log that was recovered to; root in hex.
        since, until: within these answers may be in no log, UTC.
        reason: why there was something to recover.
        exchanges: those that are known to be in no log, with hyphens, sorted.
    """

    origin: str
    recovery: str
    size: int
    root: str
    since: datetime
    until: datetime
    reason: Cause
    exchanges: tuple[str, ...]

    def document(self) -> bytes:
        """The file that officers approve, and that the leaf keeps."""
        lines = (
            FORMAT,
            f"origin {self.origin}",
            f"recovery {self.recovery}",
            f"size {self.size}",
            f"root {self.root}",
            f"since {act_time(self.since)}",
            f"until {act_time(self.until)}",
            f"reason {self.reason.value}",
            *(f"exchange {exchange_id}" for exchange_id in self.exchanges),
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class NamedLoss:
    """A loss that enough officers have signed, and who they are."""

    loss: Loss
    officers: tuple[str, ...]


def read_loss(content: bytes) -> Loss:
    """What a document speaks of; raises PolicyRefused (loss_malformed) for anything that we would not write."""
    try:
        found = _LINES.fullmatch(content.decode("ascii")) if len(content) <= LARGEST_LOSS else None
        loss = _loss(found) if found else None
    except (ValueError, OverflowError):
        loss = None
    if loss is None or loss.document() != content:
        raise PolicyRefused(Reason.LOSS_MALFORMED)
    return loss


def loss_act(before: InForce, document: bytes, officer: str, at: datetime) -> Act:
    """What one officer signs for it, under the policy in force."""
    return Act(
        kind=ActKind.LOSS,
        origin=before.bundle.origin,
        subject=sha256(document).hexdigest(),
        version=before.bundle.version,
        previous=before.sha256,
        officer=officer,
        at=at,
    )


def check_loss(before: InForce, document: bytes) -> Loss:
    """What the document speaks of, if it is about this log; raises PolicyRefused (loss_malformed, origin_differs).

    The policy may have expired meanwhile: to name a loss allows nothing.
    """
    loss = read_loss(document)
    if loss.origin != before.bundle.origin:
        raise PolicyRefused(Reason.ORIGIN_DIFFERS, origin=loss.origin, expected=before.bundle.origin)
    return loss


def judge_loss(before: InForce, document: bytes, approvals: Sequence[bytes], at: datetime) -> NamedLoss:
    """The loss, if enough officers of the policy in force have signed this very document.

    Raises PolicyRefused as ``check_loss`` does, and for approvals as ``judge`` does.
    """
    loss = check_loss(before, document)
    who = signed_by_officers(before, approvals, lambda officer, when: loss_act(before, document, officer, when), at)
    return NamedLoss(loss, who)


def judge_recorded_loss(
    history: Sequence[InForce], document: bytes, approvals: Sequence[bytes], at: datetime
) -> NamedLoss:
    """The loss that a leaf of that time names, judged by the policy in force then.

    Raises PolicyRefused as ``judge_loss`` does; not_begun where no policy was in force.
    """
    refused = PolicyRefused(Reason.NOT_BEGUN)
    for force in in_force_at(history, at):
        try:
            return judge_loss(force, document, approvals, at)
        except PolicyRefused as error:
            refused = error
    raise refused


def _loss(found: re.Match[str]) -> Loss:
    exchanges = tuple(line.removeprefix("exchange ") for line in found["exchanges"].splitlines())
    since, until = datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["until"])
    if list(exchanges) != sorted(set(exchanges)) or since > until:
        raise ValueError("not in order")
    reason = Cause(found["reason"])
    return Loss(found["origin"], found["recovery"], int(found["size"]), found["root"], since, until, reason, exchanges)
