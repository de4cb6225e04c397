"""Recoveries of which no officers have said what they lost, as the gateway's own database tells (DESIGN L7)."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.ledger.encoding import FormatError
from gateway.ledger.recovered import read_recovery
from gateway.policy.reasons import PolicyRefused
from gateway.policy.recovery import judge_recorded_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.ledger.policy_acts import PolicyAct
    from gateway.policy.judge import InForce
    from gateway.policy.recovery import Loss


def unnamed_recoveries(acts: Sequence[PolicyAct], history: Sequence[InForce]) -> tuple[bytes, ...]:
    """Their documents, the first one first; ``history``: the policies that were in force, which judge a statement."""
    named = {loss.recovery for loss in _named(acts, history)}
    return tuple(document for document in _recoveries(acts) if sha256(document).hexdigest() not in named)


def _recoveries(acts: Sequence[PolicyAct]) -> Iterator[bytes]:
    """The documents that can be read: whoever can write to the database can write a row."""
    for act in acts:
        if act.act == "recovered" and act.document is not None:
            with suppress(FormatError):
                read_recovery(act.document)
                yield act.document


def _named(acts: Sequence[PolicyAct], history: Sequence[InForce]) -> Iterator[Loss]:
    """The losses that count, for the same reason."""
    for act in acts:
        if act.act == "lost" and act.document is not None:
            with suppress(PolicyRefused):
                yield judge_recorded_loss(history, act.document, act.approvals, act.at).loss
