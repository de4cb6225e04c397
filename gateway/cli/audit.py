"""`passerelle audit verify`: the offline verdict, in words or JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.progress import Progress
from rich.table import Table

from gateway.audit.audit import Beside, audit, remember
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
    with Progress(console=output.error_console, transient=True, disable=output.as_json) as bar:
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
    output.say("audit.holds" if verdict.holds else "audit.fails", count=len(verdict.findings))
    if facts.sealed:
        output.say("audit.sealed", count=facts.sealed)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = {
        "audit.origin": facts.origin,
        "audit.size": facts.size,
        "audit.root": facts.root,
        "audit.span": f"{_local(facts.first)} — {_local(facts.last)}",
        "audit.exchanges": facts.exchanges,
        "audit.acknowledged": f"{facts.acknowledged} / {facts.acknowledged + facts.unacknowledged}",
        "audit.refusals": ", ".join(f"{code} {count}" for code, count in facts.refusals) or "0",
        "audit.parties": ", ".join(f"{item.name} {item.exchanges} + {item.refusals}" for item in facts.parties),
        "audit.writers": f"{facts.writers} ({facts.writers_open})",
    }
    if verdict.receipts is not None:
        rows["audit.receipts"] = output.t("audit.receipts_row", **asdict(verdict.receipts))
    if verdict.kept is not None:
        rows["audit.kept"] = output.t("audit.kept_row", **asdict(verdict.kept))
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(output.t(key), str(value))
    output.console.print(table)
    for finding in verdict.findings[:_SHOWN]:
        where = " ".join(str(part) for part in (finding.file, finding.index, finding.exchange_id) if part is not None)
        output.say(f"audit.fault.{finding.code}")
        output.say("audit.where", where=where, detail=finding.detail)
    if len(verdict.findings) > _SHOWN:
        output.say("audit.more", count=len(verdict.findings) - _SHOWN)
    if verdict.holds:
        output.say("audit.unproven")
        for code in verdict.unproven:
            text = output.t(f"audit.unproven.{code}", unacknowledged=facts.unacknowledged)
            output.say("audit.item", text=text)


def _local(moment: str | None) -> str:
    if not moment:
        return "—"
    return datetime.fromisoformat(moment).astimezone(_LOCAL).isoformat(timespec="seconds")
