"""Evidence that is gone: by officers' leave, or lost (DESIGN L9).

A destruction stands after what it destroys, so what is missing is gathered while the log streams by, and judged at
its end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.audit.verdict import Destroyed, Fault, Problem
from gateway.ledger.destruction import read_destruction_evidence
from gateway.ledger.encoding import FormatError, timestamp
from gateway.ledger.tiles import WIDTH, evidence_path
from gateway.policy.destruction import judge_recorded, read_destruction
from gateway.policy.reasons import PolicyRefused, Reason
from gateway.policy.verdict import read_verdict

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.audit.ancestry import Ancestry
    from gateway.audit.policies import Policies
    from gateway.audit.report import Report
    from gateway.ledger.leaf import Leaf
    from gateway.policy.destruction import Destruction

_VERDICT = frozenset(reason for reason in Reason if reason.startswith("verdict"))
_NOT_APPROVED = frozenset(reason for reason in Reason if reason.startswith("approval"))
_EXCHANGES = frozenset({"exchange", "refusal"})


@dataclass(slots=True)
class _Gone:
    """What is missing of one period in one bundle: how many, and the first of them."""

    count: int
    first: int
    exchange_id: UUID | None


class Destructions:
    """Tells lawful destruction from loss; memory grows with the bundles in which something is missing, and no more."""

    def __init__(self, policies: Policies, report: Report, ancestry: Ancestry) -> None:
        self._policies = policies
        self._ancestry = ancestry
        self._report = report
        self._gone: dict[tuple[int, int], _Gone] = {}
        self._lawful: list[tuple[int, Destruction, tuple[str, ...], str, str]] = []
        self._unlawful: list[Destruction] = []

    def take(self, index: int, leaf: Leaf, evidence: bytes) -> None:
        """A destruction's leaf, in the order of the log.

        Raises Problem: destruction_malformed, destruction_not_approved, destruction_too_early,
        destruction_verdict_differs.
        """
        try:
            texts = read_destruction_evidence(evidence)
        except FormatError as error:
            raise Problem(Fault.DESTRUCTION_MALFORMED, str(error)) from None
        try:
            allowed = judge_recorded(
                self._policies.history, index, texts.document, texts.verdict, texts.approvals, leaf.time
            )
        except PolicyRefused as refused:
            self._keep_unlawful(texts.document)
            raise Problem(_fault(refused.reason), f"a destruction that is not lawful ({refused.reason})") from None
        said = read_verdict(texts.verdict).verdict
        if said.end > index or not self._ancestry.has(said.end, bytes.fromhex(said.root)):
            self._keep_unlawful(texts.document)
            raise Problem(Fault.DESTRUCTION_VERDICT_DIFFERS, "the verdict that allowed it is about another tree")
        at = timestamp(leaf.time)
        self._lawful.append((index, allowed.destruction, allowed.officers, allowed.auditor, at))

    def missing(self, index: int, leaf: Leaf) -> None:
        """A leaf of a sealed kind behind which there is no record; in any order."""
        key = (leaf.period, index // WIDTH)
        known = self._gone.get(key)
        exchange_id = leaf.exchange_id if leaf.kind in _EXCHANGES else None
        if known is None:
            self._gone[key] = _Gone(1, index, exchange_id)
            return
        known.count += 1
        if index < known.first:
            known.first, known.exchange_id = index, exchange_id

    def finish(self) -> None:
        """After the last leaf: reports each destruction with what it destroyed, and all that is missing without one."""
        destroyed: defaultdict[int, int] = defaultdict(int)
        for (period, bundle), gone in sorted(self._gone.items(), key=lambda item: item[1].first):
            leave = next((index for index, what, *_ in self._lawful if _covers(what, period, bundle)), None)
            if leave is not None:
                destroyed[leave] += gone.count
                continue
            self._report_loss(period, bundle, gone)
        for index, what, officers, auditor, at in self._lawful:
            self._report.destruction(
                Destroyed(
                    index=index,
                    period=what.period,
                    first=what.first,
                    end=what.end,
                    due=timestamp(what.due),
                    at=at,
                    records=destroyed[index],
                    officers=officers,
                    auditor=auditor,
                )
            )

    def _report_loss(self, period: int, bundle: int, gone: _Gone) -> None:
        named = any(_covers(what, period, bundle) for what in self._unlawful)
        fault = Fault.DESTROYED_WITHOUT_LEAVE if named else Fault.RECORD_MISSING
        problem = Problem(fault, f"the evidence is not there: {gone.count} in period {period} of this bundle")
        exchange_id = None if gone.exchange_id is None else str(gone.exchange_id)
        self._report.problem(problem, file=evidence_path(bundle), index=gone.first, exchange_id=exchange_id)

    def _keep_unlawful(self, document: bytes) -> None:
        try:
            self._unlawful.append(read_destruction(document))
        except PolicyRefused:
            return  # it names nothing that could be read


def _covers(what: Destruction, period: int, bundle: int) -> bool:
    return what.period == period and what.first <= bundle * WIDTH < what.end


def _fault(reason: Reason) -> Fault:
    if reason is Reason.DESTRUCTION_TOO_EARLY:
        return Fault.DESTRUCTION_TOO_EARLY
    if reason in _VERDICT:
        return Fault.DESTRUCTION_VERDICT_DIFFERS
    return Fault.DESTRUCTION_NOT_APPROVED if reason in _NOT_APPROVED else Fault.DESTRUCTION_MALFORMED
