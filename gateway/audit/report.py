"""Gathers findings and counts while the log streams by, and gives the verdict at the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gateway.audit.verdict import Facts, Finding, PartyCount, Unproven, Verdict
from gateway.ledger.encoding import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.verdict import Dispute, KeptCount, PolicyAttempt, PolicyChange, Problem, ReceiptCount
    from gateway.ledger.note import Checkpoint


class Report:
    """One audit's notes."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint | None = None
        self.writers = self.writers_open = 0
        self.sealed = 0
        self.receipts: ReceiptCount | None = None
        self.kept: KeptCount | None = None
        self.unproven: set[Unproven] = {Unproven.NO_TIMESTAMPS, Unproven.NO_WITNESSES}
        self._findings: list[Finding] = []
        self._disputes: list[Dispute] = []
        self._exchanges: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._unopened: Counter[str] = Counter()
        self._acknowledged: Counter[str] = Counter()
        self._unacknowledged: Counter[str] = Counter()
        self._policies: list[PolicyChange] = []
        self._attempts: list[PolicyAttempt] = []
        self._times: list[datetime] = []

    def problem(
        self, problem: Problem, *, file: str = "", index: int | None = None, exchange_id: str | None = None
    ) -> None:
        """Notes what a check found; ``file`` is where it looked, unless the problem itself says."""
        self._findings.append(Finding(problem.fault, problem.file or file, exchange_id, index, problem.detail))

    def dispute(self, dispute: Dispute) -> None:
        """Notes that a caller signed something else than was recorded."""
        self._disputes.append(dispute)

    def time(self, at: datetime) -> None:
        """Notes a leaf's time, for the first and the last."""
        self._times = [min([*self._times, at]), max([*self._times, at])]

    def policy_change(self, change: PolicyChange) -> None:
        """Notes that another policy came into force."""
        self._policies.append(change)

    def attempt(self, attempt: PolicyAttempt) -> None:
        """Notes that something about the policy was refused."""
        self._attempts.append(attempt)

    def exchange(self, party: str) -> None:
        """Counts an exchange that was answered."""
        self._exchanges[party] += 1

    def acknowledged(self, party: str, *, done: bool) -> None:
        """Counts an answer, acknowledged or not."""
        (self._acknowledged if done else self._unacknowledged)[party] += 1

    def refusal(self, party: str | None, code: str) -> None:
        """Counts a refusal."""
        self._refused[party or ""] += 1
        self._refusals[code] += 1

    def unopened(self, kind: str) -> None:
        """Counts a leaf whose evidence stays sealed: its kind is all that is known of it."""
        self.sealed += 1
        self._unopened[kind] += 1
        self.unproven.add(Unproven.EVIDENCE_SEALED)

    def verdict(self, note: str, *, first_audit: bool) -> Verdict:
        """The whole; findings in the order of leaves, those without a leaf first."""
        if first_audit:
            self.unproven.add(Unproven.FIRST_AUDIT)
        findings = sorted(self._findings, key=lambda item: (-1 if item.index is None else item.index, item.file))
        unproven = tuple(word for word in Unproven if word in self.unproven)
        return Verdict(
            findings=tuple(findings),
            facts=self._facts(),
            first_audit=first_audit,
            unproven=unproven,
            note=note,
            receipts=self.receipts,
            kept=self.kept,
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
            policies=tuple(self._policies),
            attempts=tuple(self._attempts),
            first=times[0],
            last=times[1],
        )

    def _party(self, name: str) -> PartyCount:
        acknowledged, unacknowledged = self._acknowledged[name], self._unacknowledged[name]
        return PartyCount(name, self._exchanges[name], self._refused[name], acknowledged, unacknowledged)
