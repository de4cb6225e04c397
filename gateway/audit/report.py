"""Gathers findings and counts while the log streams by, and gives the verdict at the end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.audit.tally import Tally
from gateway.audit.verdict import Facts, PartyCount, Unproven, Verdict
from gateway.ledger.encoding import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.counts import KeptCount, ReceiptCount, TranslationCount
    from gateway.audit.verdict import (
        Destroyed,
        Dispute,
        Finding,
        Handed,
        LogRecovery,
        PolicyAttempt,
        PolicyChange,
        Unsettled,
    )
    from gateway.ledger.note import Checkpoint


_WITHIN_ITS_SECOND = timedelta(microseconds=999_999)


class Report(Tally):
    """One audit's notes."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpoint: Checkpoint | None = None
        self.writers = self.writers_open = 0
        self.receipts: ReceiptCount | None = None
        self.kept: KeptCount | None = None
        self.translated: TranslationCount | None = None
        self.unproven: set[Unproven] = {Unproven.NO_TIMESTAMPS, Unproven.NO_WITNESSES}
        self._disputes: list[Dispute] = []
        self._acknowledged: Counter[str] = Counter()
        self._unacknowledged: Counter[str] = Counter()
        self._policies: list[PolicyChange] = []
        self._attempts: list[PolicyAttempt] = []
        self._destructions: list[Destroyed] = []
        self._handovers: list[Handed] = []
        self._unsettled: list[Unsettled] = []
        self.recoveries: list[LogRecovery] = []
        self._times: list[datetime] = []

    def dispute(self, dispute: Dispute) -> None:
        """Notes that a caller signed something else than was recorded."""
        self._disputes.append(dispute)

    def time(self, at: datetime) -> datetime:
        """Notes a leaf's time, for the first and the last; gives the newest so far."""
        first, last = self._times or (at, at)
        self._times = [min(first, at), newest := max(last, at)]
        return newest

    @property
    def last(self) -> datetime | None:
        """The newest leaf's time so far."""
        return self._times[1] if self._times else None

    def is_lost(self, exchange_id: str, answered: datetime) -> bool:
        """Whether officers said that this exchange is in no log, of a recovery that can have lost it.

        ``answered`` is in whole seconds, cut.
        """
        first, last = timestamp(answered + _WITHIN_ITS_SECOND), timestamp(answered)
        return any(exchange_id in one.exchanges and one.since <= first and last <= one.at for one in self.recoveries)

    def destruction(self, destroyed: Destroyed) -> None:
        """Notes that evidence was destroyed, rightly."""
        self._destructions.append(destroyed)

    def handover(self, handed: Handed) -> None:
        """Notes that a copy was handed over."""
        self._handovers.append(handed)

    def unsettled(self, intent: Unsettled) -> None:
        """Notes that nothing says what became of an effect."""
        self._unsettled.append(intent)
        self.unproven.add(Unproven.EFFECTS_UNSETTLED)

    def policy_change(self, change: PolicyChange) -> None:
        """Notes that another policy came into force."""
        self._policies.append(change)

    def attempt(self, attempt: PolicyAttempt) -> None:
        """Notes that something about the policy was refused."""
        self._attempts.append(attempt)

    def acknowledged(self, party: str, *, done: bool, count: int = 1) -> None:
        """Counts answers, acknowledged or not."""
        (self._acknowledged if done else self._unacknowledged)[party] += count

    def verdict(self, note: str, *, first_audit: bool, since: int | None = None) -> Verdict:
        """The whole; findings in the order of leaves, those without a leaf first."""
        if first_audit:
            self.unproven.add(Unproven.FIRST_AUDIT)
        findings = sorted(self._findings, key=_place)
        unproven = tuple(word for word in Unproven if word in self.unproven)
        return Verdict(
            findings=tuple(findings),
            facts=self._facts(),
            first_audit=first_audit,
            since=since,
            unproven=unproven,
            note=note,
            receipts=self.receipts,
            kept=self.kept,
            translated=self.translated,
            disputes=tuple(sorted(self._disputes, key=lambda item: item.index)),
        )

    def _facts(self) -> Facts:
        checkpoint = self.checkpoint
        names = sorted(self._exchanges.keys() | self._refused.keys())
        times = [timestamp(at) for at in self._times] or ["", ""]
        return Facts(
            origin=checkpoint.origin if checkpoint else "",
            size=checkpoint.size if checkpoint else 0,
            root=checkpoint.root.hex() if checkpoint else "",
            exchanges=self._exchanges.total() + self._unopened["exchange"],
            refusals=tuple(sorted(self._refusals.items())),
            acknowledged=self._acknowledged.total(),
            unacknowledged=self._unacknowledged.total(),
            parties=tuple(self._party(name) for name in names),
            writers=self.writers,
            writers_open=self.writers_open,
            sealed=self.sealed,
            before=self.before,
            policies=tuple(self._policies),
            attempts=tuple(self._attempts),
            first=times[0],
            last=times[1],
            destructions=tuple(self._destructions),
            handovers=tuple(self._handovers),
            recoveries=tuple(self.recoveries),
            unsettled=tuple(sorted(self._unsettled, key=lambda one: one.index)),
        )

    def _party(self, name: str) -> PartyCount:
        acknowledged, unacknowledged = self._acknowledged[name], self._unacknowledged[name]
        return PartyCount(name, self._exchanges[name], self._refused[name], acknowledged, unacknowledged)


def _place(finding: Finding) -> tuple[int, str, str, str]:
    """One order, whichever process found it first."""
    return -1 if finding.index is None else finding.index, finding.file, finding.code, finding.detail
