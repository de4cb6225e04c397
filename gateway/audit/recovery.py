"""The log put back into a database, and what officers say that this lost (DESIGN L7).

What was answered and never published is in no file of ours, so nothing in a log can show it: a recovery counts as
explained only once officers have signed what it lost, and as unexplained when the log goes on for long without that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, LogRecovery, Problem, Unproven
from gateway.ledger.encoding import FormatError, timestamp
from gateway.ledger.recovered import ON_ITS_WAY, read_recovery
from gateway.ledger.tiles import WIDTH, evidence_path
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.recovery import NAMED_WITHIN, judge_recorded_loss

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.ancestry import Ancestry
    from gateway.audit.evidence_schema import PolicyAct
    from gateway.audit.policies import Policies
    from gateway.audit.report import Report
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.recovered import RecoveryFacts
    from gateway.policy.recovery import NamedLoss

#: As many leaves as come between a log's end and the leaf that says that it was recovered, as a rule.
_RECENT = 2 * WIDTH
_NOT_APPROVED = frozenset(reason for reason in Reason if reason.startswith("approval"))


@dataclass(slots=True)
class _Recovery:
    """One recovery; ``place`` is its place in the report, which officers' leaf completes."""

    facts: RecoveryFacts
    place: int


class Recoveries:
    """The recoveries of one log, by the hex SHA-256 of their documents."""

    def __init__(self, policies: Policies, report: Report, ancestry: Ancestry, remembered: int = 0) -> None:
        """``remembered``: the size at which an earlier audit saw the log published."""
        self._policies = policies
        self._report = report
        self._ancestry = ancestry
        self._unnamed: dict[str, _Recovery] = {}
        self._recent: deque[tuple[int, datetime]] = deque(maxlen=_RECENT)
        self._before: list[tuple[int, datetime]] = []
        self._remembered = remembered
        self._anchored = 0

    def leaf(self, index: int, newest: datetime) -> None:
        """A leaf, with the newest time up to it: kept of the last ones, and of one in each bundle before them."""
        self._recent.append((index, newest))
        if (index + 1) % WIDTH == 0:
            self._before.append((index, newest))

    def anchored(self, size: int) -> None:
        """An anchor's leaf says that the log had been published up to this size."""
        self._anchored = max(self._anchored, size)

    def take(self, index: int, leaf: Leaf, act: PolicyAct) -> bool:
        """An act, in the order of the log; gives whether it is one about the log itself.

        Raises Problem: recovery_malformed, loss_malformed, loss_not_approved.
        """
        if act.document is None:
            return False
        # a text that is no ASCII is none that its reader knows
        document = act.document.encode()
        if act.act == "recovered":
            self._recovered(index, leaf.time, document)
        else:
            self._lost(index, leaf.time, document, [text.encode() for text in act.approvals])
        return True

    def finish(self) -> None:
        """After the last leaf: reports each recovery of which nobody has said what it lost."""
        last = self._report.last
        for recovery in self._unnamed.values():
            found = self._report.recoveries[recovery.place]
            if last is None or last - recovery.facts.until <= NAMED_WITHIN:
                self._report.unproven.add(Unproven.LOSS_AWAITED)
                continue
            problem = Problem(Fault.LOSS_NOT_NAMED, "recovered, and no officers' leaf says what this lost")
            self._report.problem(problem, file=self._file(found.index), index=found.index)

    def _file(self, index: int) -> str:
        number = index // WIDTH
        size = self._report.checkpoint.size if self._report.checkpoint else 0
        return evidence_path(number, min(WIDTH, size - number * WIDTH))

    def _recovered(self, index: int, at: datetime, document: bytes) -> None:
        try:
            facts = read_recovery(document)
        except FormatError as error:
            raise Problem(Fault.RECOVERY_MALFORMED, str(error)) from None
        checkpoint = self._report.checkpoint
        if checkpoint is None or facts.origin != checkpoint.origin or facts.until != at:
            raise Problem(Fault.RECOVERY_MALFORMED, "of another log, or of another time than its leaf")
        if facts.size > index or not self._ancestry.has(facts.size, bytes.fromhex(facts.root)):
            raise Problem(Fault.RECOVERY_MALFORMED, "the log had never this size and root before it")
        # whatever is wider would excuse answers that were never lost in it
        published = max(self._anchored, self._remembered if self._remembered <= index else 0)
        if facts.size + facts.waiting < index or facts.size < published:
            raise Problem(Fault.RECOVERY_MALFORMED, "the log had been published beyond the size that it says")
        newest = self._newest(facts.size)
        if newest is not None and facts.since < min(newest - ON_ITS_WAY, facts.until):
            raise Problem(Fault.RECOVERY_MALFORMED, "answers would be missing since long before the log ended")
        self._unnamed[sha256(document).hexdigest()] = _Recovery(facts, len(self._report.recoveries))
        self._report.recoveries.append(LogRecovery(index, timestamp(at), facts.size, timestamp(facts.since)))

    def _newest(self, size: int) -> datetime | None:
        """The newest time of the first so many leaves, or of somewhat fewer of them; None where there are none."""
        known = self._recent if self._recent and self._recent[0][0] < size else self._before
        return next((newest for index, newest in reversed(known) if index < size), None)

    def _lost(self, index: int, at: datetime, document: bytes, approvals: list[bytes]) -> None:
        try:
            named = judge_recorded_loss(self._policies.history, document, approvals, at)
        except PolicyRefused as refused:
            fault = Fault.LOSS_NOT_APPROVED if refused.reason in _NOT_APPROVED else Fault.LOSS_MALFORMED
            raise Problem(fault, f"a loss that is not named rightly ({refused.reason})") from None
        recovery = self._unnamed.get(named.loss.recovery)
        if recovery is None or not _is_of(named, recovery.facts):
            raise Problem(Fault.LOSS_MALFORMED, "of no recovery before it, or of one whose loss is named already")
        del self._unnamed[named.loss.recovery]
        self._report.recoveries[recovery.place] = replace(
            self._report.recoveries[recovery.place],
            named=index,
            officers=named.officers,
            reason=named.loss.reason.value,
            exchanges=named.loss.exchanges,
        )


def _is_of(named: NamedLoss, facts: RecoveryFacts) -> bool:
    loss = named.loss
    said = (loss.size, loss.root, loss.since, loss.until)
    return said == (facts.size, facts.root, facts.since, facts.until)
