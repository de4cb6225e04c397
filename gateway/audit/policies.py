"""Which policy was in force when: the chain of the policy's leaves, each act judged as it had to be then (P1, P2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, PolicyAttempt, PolicyChange, Problem
from gateway.ledger.encoding import timestamp
from gateway.policy.acts import ActKind, read_approval
from gateway.policy.chain import Chain
from gateway.policy.judge import check_approval
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gateway.audit.evidence_schema import Genesis, PolicyAct
    from gateway.audit.objects import Objects
    from gateway.audit.report import Report
    from gateway.audit.trust import Trust
    from gateway.policy.bundle import Bundle
    from gateway.policy.judge import InForce

#: How long after a policy came into force an exchange may still begin under the one before: workers look for it.
SWITCH = timedelta(seconds=2)
_TOO_EARLY = frozenset({Reason.WIDENING_TOO_EARLY, Reason.RECOVERY_TOO_EARLY})
_NOT_APPROVED = frozenset(reason for reason in Reason if reason.startswith("approval")) | {Reason.RECOVERY_CHANGES_MORE}


@dataclass(frozen=True, slots=True)
class Policy:
    """A bundle and the hex SHA-256 by which evidence names it."""

    sha256: str
    bundle: Bundle = field(repr=False)


class Timeline:
    """The policies that came into force so far, in the log's order."""

    def __init__(self) -> None:
        self._since: list[tuple[datetime, Policy]] = []

    @property
    def rows(self) -> list[tuple[datetime, Policy]]:
        """Each with the moment from which it was in force."""
        return self._since

    def add(self, since: datetime, policy: Policy) -> None:
        """The next one."""
        self._since.append((since, policy))

    def clear(self) -> None:
        """None came into force yet."""
        self._since.clear()

    def newest(self) -> Policy:
        """The policy of the latest leaf; raises Problem where the log has none."""
        if not self._since:
            raise Problem(Fault.POLICY_DIFFERS, "no policy is in force")
        return self._since[-1][1]

    def at(self, moment: datetime) -> Policy:
        """The policy in force at that moment, or the first one before it; raises Problem where the log has none."""
        self.newest()
        return next((policy for since, policy in reversed(self._since) if since <= moment), self._since[0][1])

    def possible(self, moment: datetime) -> tuple[Policy, ...]:
        """Those under which what began at that moment may be, the newest first; raises Problem where there is none.

        The newest always, since its leaf stands before in the log: a clock can be set back. One that was in force
        before while the leaf of its successor was not two seconds old.
        """
        newest = self.newest()
        former = [
            policy
            for (_, policy), (ended, _) in zip(self._since, self._since[1:], strict=False)
            if moment < ended + SWITCH
        ]
        return (newest, *reversed(former))


class Policies(Timeline):
    """Grows with the log: what stands here was in an earlier leaf."""

    def __init__(self, objects: Objects, trust: Trust, report: Report) -> None:
        super().__init__()
        self._trust = trust
        self._report = report
        self._chain = Chain(objects.bytes)

    def begin(self, genesis: Genesis, at: datetime) -> None:
        """The first policy; raises Problem (genesis_differs, object_missing, object_invalid)."""
        trust = self._trust
        if (genesis.origin, genesis.log_key) != (trust.log_key.name, trust.log_key.vkey):
            raise Problem(Fault.GENESIS_DIFFERS, "begun under another key or origin than the trusted one")
        if genesis.policy != trust.genesis:
            raise Problem(Fault.GENESIS_DIFFERS, "begun with another policy than the trusted one")
        try:
            self._now_in_force(self._chain.begin(genesis.policy, at))
        except PolicyRefused as refused:
            raise Problem(Fault.OBJECT_INVALID, f"the first policy cannot be read ({refused.reason})") from None

    def act(self, act: PolicyAct, at: datetime) -> None:
        """The next act about the policy.

        Raises Problem: policy_not_approved, policy_too_early, policy_differs, object_missing, object_invalid.
        """
        self.newest()
        try:
            self._act(act, at)
        except PolicyRefused as refused:
            raise Problem(_fault(refused.reason), f"{act.act}: {refused.reason}") from None

    @property
    def history(self) -> tuple[InForce, ...]:
        """Every policy up to the leaf that was taken last, the first one first."""
        return self._chain.history

    def _act(self, act: PolicyAct, at: datetime) -> None:
        policy, approvals = act.policy or "", [text.encode() for text in act.approvals]
        match act.act:
            case "proposed":
                proposed = self._chain.proposed(policy, at)
                if (act.version, act.previous) != (proposed.bundle.version, proposed.bundle.previous):
                    raise Problem(Fault.POLICY_DIFFERS, "its version, or the one before it, are not the bundle's")
            case "approved":
                self._check_approval(policy, approvals[0], at)
            case "activated":
                force = self._chain.activated(policy, act.previous or "", act.version or 0, approvals, at)
                self._now_in_force(force)
                who = sorted({read_approval(document).act.officer for document in approvals})
                self._report.policy_change(PolicyChange(force.bundle.version, force.sha256, timestamp(at), tuple(who)))
            case "refused":
                self._report.attempt(PolicyAttempt(act.policy, act.reason or "", act.by, timestamp(at)))

    def _check_approval(self, policy: str, document: bytes, at: datetime) -> None:
        """As the bundle in force then would have it, of a proposal that could follow it."""
        waiting = next((item for item in self._chain.waiting if item.proposed.sha256 == policy), None)
        if waiting is None:
            raise PolicyRefused(Reason.NOT_PROPOSED)
        approval, officers = read_approval(document), self._chain.current.bundle.officers
        kind = approval.act.kind
        keys = officers.recovery if kind is ActKind.RECOVERY else officers.keys
        expected = kind if kind is ActKind.RECOVERY else ActKind.POLICY
        check_approval(approval, self._chain.current, waiting.proposed, kind=expected, keys=keys, at=at)

    def _now_in_force(self, force: InForce) -> None:
        self.add(force.since, Policy(force.sha256, force.bundle))


def under_one_of(policies: Sequence[Policy], check: Callable[[Policy], None]) -> None:
    """Returns if the check passes under one of them; raises the Problem of the first otherwise."""
    problems: list[Problem] = []
    for policy in policies:
        try:
            check(policy)
        except Problem as problem:
            problems.append(problem)
        else:
            return
    raise problems[0]


def _fault(reason: Reason) -> Fault:
    if reason in _TOO_EARLY:
        return Fault.POLICY_TOO_EARLY
    return Fault.POLICY_NOT_APPROVED if reason in _NOT_APPROVED else Fault.POLICY_DIFFERS
