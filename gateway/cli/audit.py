"""`passerelle audit verify`: the offline verdict, in words or JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.progress import Progress

from gateway.audit.audit import Beside, audit, remember
from gateway.audit.verdict import KeptCount, ReceiptCount
from gateway.cli.output import Exit
from gateway.system import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.verdict import Verdict
    from gateway.cli.output import Output

_LOCAL = ZoneInfo("America/Toronto")
_SHOWN = 20


def verify(
    output: Output,
    log: Path,
    trust: Path,
    *,
    receipts: Path | None = None,
    kept: Path | None = None,
    keep: bool = False,
) -> Exit:
    """The verdict, on what parties kept too where it is given.

    With ``keep`` a log that holds is remembered in the trust folder, for the next audit to extend.
    """
    beside = Beside(SystemClock().now(), receipts, kept)
    verdict = _with_progress(output, log, trust, beside)
    output.result({"holds": verdict.holds} | asdict(verdict))
    _show(output, verdict)
    if verdict.holds and keep:
        remember(verdict, trust)
    return Exit.HOLDS if verdict.holds else Exit.REFUSED


def _with_progress(output: Output, log: Path, trust: Path, beside: Beside) -> Verdict:
    # Shown only where a person looks, and gone when done.
    quiet = output.as_json or not output.error_console.is_terminal
    with Progress(console=output.error_console, transient=True, disable=quiet) as bar:
        tasks: dict[str, int] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = int(bar.add_task(output.t(f"audit.stage.{stage}"), total=total))
            bar.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]  # rich's TaskID is an int

        return audit(log, trust, progress=tell, beside=beside)


def _show(output: Output, verdict: Verdict) -> None:
    if output.as_json:
        return
    facts = verdict.facts
    _headline(output, verdict)
    if facts.sealed:
        output.say("audit.sealed", count=facts.sealed)
    rows = {
        "audit.origin": facts.origin,
        "audit.size": facts.size,
        "audit.root": facts.root,
        "audit.span": f"{_local(facts.first)} — {_local(facts.last)}",
        "audit.exchanges": facts.exchanges,
        "audit.acknowledged": f"{facts.acknowledged} / {facts.acknowledged + facts.unacknowledged}",
        "audit.refusals": ", ".join(f"{code} {count}" for code, count in facts.refusals) or "0",
        "audit.parties": ", ".join(f"{item.name or '—'} {item.exchanges} + {item.refusals}" for item in facts.parties),
        "audit.policies": output.t("audit.policies_row", changes=len(facts.policies), attempts=len(facts.attempts)),
        "audit.writers": f"{facts.writers} ({facts.writers_open})",
    }
    if verdict.receipts is not None:
        rows["audit.receipts"] = output.t("audit.receipts_row", **asdict(verdict.receipts))
    if verdict.kept is not None:
        rows["audit.kept"] = output.t("audit.kept_row", **asdict(verdict.kept))
    width = max(len(output.t(key)) for key in rows)
    for key, value in rows.items():  # lines, not a table: a root folded over two lines cannot be copied
        output.console.print(f"{output.t(key):{width}}  {value}", markup=False)
    _policies(output, verdict)
    _disputes_and_findings(output, verdict)
    if verdict.holds:
        _unproven(output, verdict)


def _policies(output: Output, verdict: Verdict) -> None:
    changes, attempts = verdict.facts.policies, verdict.facts.attempts
    for change in changes[-_SHOWN:]:
        who, at = ", ".join(change.officers), _local(change.at)
        output.say("audit.policy_change", version=change.version, sha256=change.sha256, at=at, who=who)
    for attempt in attempts[-_SHOWN:]:
        named, at = attempt.sha256 or "—", _local(attempt.at)
        output.say("audit.policy_attempt", sha256=named, reason=attempt.reason, by=attempt.by, at=at)
    if (more := max(len(changes), len(attempts)) - _SHOWN) > 0:
        output.say("audit.more", count=more)


def _disputes_and_findings(output: Output, verdict: Verdict) -> None:
    for dispute in verdict.disputes[:_SHOWN]:
        terms = ", ".join(output.t(f"audit.term.{term}") for term in dispute.terms)
        output.say("audit.dispute", **(asdict(dispute) | {"terms": terms}))
    if len(verdict.disputes) > _SHOWN:
        output.say("audit.more", count=len(verdict.disputes) - _SHOWN)
    for finding in verdict.findings[:_SHOWN]:
        where = " ".join(str(part) for part in (finding.file, finding.index, finding.exchange_id) if part is not None)
        output.say(f"audit.fault.{finding.code}")
        output.say("audit.where", where=where, detail=finding.detail)
    if len(verdict.findings) > _SHOWN:
        output.say("audit.more", count=len(verdict.findings) - _SHOWN)


def _unproven(output: Output, verdict: Verdict) -> None:
    output.say("audit.unproven")
    kept, receipts = verdict.kept or KeptCount(), verdict.receipts or ReceiptCount()
    counts = {
        "unacknowledged": verdict.facts.unacknowledged,
        "sealed": kept.sealed,
        "uncovered": kept.uncovered,
        "ignored": kept.ignored + receipts.ignored,
    }
    for code in verdict.unproven:
        text = output.t(f"audit.unproven.{code}", **counts)
        output.say("audit.item", text=text)


def _headline(output: Output, verdict: Verdict) -> None:
    if not verdict.holds:
        output.say("audit.fails", count=len(verdict.findings))
    elif verdict.disputes:
        key = "audit.holds_dispute" if len(verdict.disputes) == 1 else "audit.holds_disputes"
        output.say(key, count=len(verdict.disputes))
    else:
        output.say("audit.holds")


def _local(moment: str | None) -> str:
    if not moment:
        return "—"
    return datetime.fromisoformat(moment).astimezone(_LOCAL).isoformat(timespec="seconds")
