"""A verdict in words: the same sentences for the terminal and for the printed report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.audit.counts import KeptCount, ReceiptCount, TranslationCount

if TYPE_CHECKING:
    from gateway.audit.verdict import Verdict
    from gateway.messages.catalogue import Catalogue

_LOCAL = ZoneInfo("America/Toronto")


@dataclass(frozen=True, slots=True)
class Run:
    """How an audit was run; what of it the verdict does not depend on.

    Attributes:
        log: the folder or address.
        version: of the program.
        began: RFC 3339, UTC.
        seconds: how long it took.
        jobs: how many processes opened evidence.
    """

    log: str
    version: str
    began: str
    seconds: float
    jobs: int


@dataclass(frozen=True, slots=True)
class FindingWords:
    """One finding: what it means, where it is, and which check said so."""

    text: str
    where: str
    detail: str


def headline(t: Catalogue, verdict: Verdict) -> str:
    """Whether it holds, in a sentence."""
    if not verdict.holds:
        return t("audit.fails", count=len(verdict.findings))
    if verdict.disputes:
        key = "audit.holds_dispute" if len(verdict.disputes) == 1 else "audit.holds_disputes"
        return t(key, count=len(verdict.disputes))
    return t("audit.holds")


def facts(t: Catalogue, verdict: Verdict) -> list[tuple[str, str]]:
    """What the log holds, each with its name."""
    found = verdict.facts
    rows = {
        "audit.origin": found.origin,
        "audit.size": str(found.size),
        "audit.root": found.root,
        "audit.span": f"{local(found.first)} — {local(found.last)}",
        "audit.exchanges": str(found.exchanges),
        "audit.acknowledged": f"{found.acknowledged} / {found.acknowledged + found.unacknowledged}",
        "audit.refusals": ", ".join(f"{code} {count}" for code, count in found.refusals) or "0",
        "audit.parties": ", ".join(f"{item.name or '—'} {item.exchanges} + {item.refusals}" for item in found.parties),
        "audit.policies": t("audit.policies_row", changes=len(found.policies), attempts=len(found.attempts)),
        "audit.writers": f"{found.writers} ({found.writers_open})",
    }
    if verdict.since is not None:
        rows["audit.since"] = t("audit.since_row", size=verdict.since, before=found.before)
    if verdict.receipts is not None:
        rows["audit.receipts"] = t("audit.receipts_row", **asdict(verdict.receipts))
    if verdict.kept is not None:
        rows["audit.kept"] = t("audit.kept_row", **asdict(verdict.kept))
    if verdict.translated is not None:
        rows["audit.translated"] = t("audit.translated_row", **asdict(verdict.translated))
    return [(t(key), value) for key, value in rows.items()]


def policies(t: Catalogue, verdict: Verdict) -> list[str]:
    """Each change of the policy, and each that was refused."""
    changes = [
        t("audit.policy_change", version=one.version, sha256=one.sha256, at=local(one.at), who=", ".join(one.officers))
        for one in verdict.facts.policies
    ]
    attempts = [
        t("audit.policy_attempt", sha256=one.sha256 or "—", reason=one.reason, by=one.by, at=local(one.at))
        for one in verdict.facts.attempts
    ]
    return changes + attempts


def destructions(t: Catalogue, verdict: Verdict) -> list[str]:
    """Each lawful destruction, then each copy that was handed over; what was due before the last leaf is marked."""
    found = []
    for done in verdict.facts.destructions:
        words = {"at": local(done.at), "due": local(done.due), "who": ", ".join(done.officers)}
        found.append(t("audit.destruction", **(asdict(done) | words)))
    for handed in verdict.facts.handovers:
        key = "audit.handover_overdue" if handed.due < verdict.facts.last else "audit.handover"
        found.append(t(key, **(asdict(handed) | {"at": local(handed.at), "due": local(handed.due)})))
    return found


def recoveries(t: Catalogue, verdict: Verdict) -> list[str]:
    """Each recovery of the log, with what officers say that it lost."""
    found = []
    for one in verdict.facts.recoveries:
        said = {"at": local(one.at), "size": one.size, "since": local(one.since)}
        if one.named is None:
            found.append(t("audit.recovery_unnamed", **said))
            continue
        lost = {"who": ", ".join(one.officers), "reason": t(f"loss.reason.{one.reason}"), "count": len(one.exchanges)}
        found.append(t("audit.recovery", **said, **lost, exchanges=", ".join(one.exchanges) or "—"))
    return found


def disputes(t: Catalogue, verdict: Verdict) -> list[str]:
    """Each answer of which its caller signed something else."""
    found = []
    for dispute in verdict.disputes:
        terms = ", ".join(t(f"audit.term.{term}") for term in dispute.terms)
        found.append(t("audit.dispute", **(asdict(dispute) | {"terms": terms})))
    return found


def findings(t: Catalogue, verdict: Verdict) -> list[FindingWords]:
    """Each reason for which the log does not hold."""
    found = []
    for finding in verdict.findings:
        where = " ".join(str(part) for part in (finding.file, finding.index, finding.exchange_id) if part is not None)
        found.append(FindingWords(t(f"audit.fault.{finding.code}"), where, finding.detail))
    return found


def unproven(t: Catalogue, verdict: Verdict) -> list[str]:
    """What the audit cannot prove."""
    kept, receipts = verdict.kept or KeptCount(), verdict.receipts or ReceiptCount()
    translated = verdict.translated or TranslationCount()
    counts = {
        "unacknowledged": verdict.facts.unacknowledged,
        "before": verdict.facts.before,
        "unsettled": ", ".join(one.exchange_id for one in verdict.facts.unsettled),
        "sealed": kept.sealed,
        "uncovered": kept.uncovered,
        "incomplete": translated.incomplete,
        "ignored": kept.ignored + receipts.ignored + translated.ignored,
    }
    return [t(f"audit.unproven.{code}", **counts) for code in verdict.unproven]


def local(moment: str | None) -> str:
    """A time of RFC 3339 as it was in Québec, with its offset."""
    if not moment:
        return "—"
    return datetime.fromisoformat(moment).astimezone(_LOCAL).isoformat(timespec="seconds")
