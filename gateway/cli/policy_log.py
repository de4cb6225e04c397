"""At the gateway: what was done about the policy so far, walked from the log, and what may be done next (P1, P2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.policy.acts import ActKind, read_approval
from gateway.policy.chain import Chain
from gateway.policy.judge import check_approval
from gateway.policy.reasons import PolicyRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.ledger.policy_acts import PolicyAct, PolicyLog
    from gateway.policy.acts import Act
    from gateway.policy.chain import Waiting


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the policy stands: what is in force, what waits, and the approvals recorded for each proposal."""

    chain: Chain
    approvals: dict[str, list[bytes]] = field(default_factory=dict)

    def valid(self, waiting: Waiting, documents: Sequence[bytes], at: datetime, *, recovery: bool) -> list[bytes]:
        """Those of the documents that count for a proposal, one of each officer, the first one first."""
        kept: dict[str, bytes] = {}
        for document in documents:
            try:
                act = self.check(waiting, document, at, recovery=recovery)
            except PolicyRefused:
                continue
            kept.setdefault(act.officer, document)
        return list(kept.values())

    def check(self, waiting: Waiting, document: bytes, at: datetime, *, recovery: bool) -> Act:
        """The act in a document, if it counts for a proposal; raises PolicyRefused."""
        officers = self.chain.current.bundle.officers
        approval = read_approval(document)
        check_approval(
            approval,
            self.chain.current,
            waiting.proposed,
            kind=ActKind.RECOVERY if recovery else ActKind.POLICY,
            keys=officers.recovery if recovery else officers.keys,
            at=at,
        )
        return approval.act


def standing(log: PolicyLog) -> Standing:
    """The chain over the log's acts; acts that are not allowed change nothing, as in every worker.

    Raises PolicyRefused when the first policy itself cannot be read.
    """
    result = Standing(Chain(log.content))
    for act in log.acts():
        _take(result, act)
    return result


def _take(result: Standing, act: PolicyAct) -> None:
    policy = act.policy or ""
    if act.act == "genesis":
        result.chain.begin(policy, act.at)
        return
    try:
        if act.act == "proposed":
            result.chain.proposed(policy, act.at)
        elif act.act == "activated":
            result.chain.activated(policy, act.previous or "", act.version or 0, act.approvals, act.at)
    except PolicyRefused:
        return
    if act.act == "approved":
        result.approvals.setdefault(policy, []).extend(act.approvals)
