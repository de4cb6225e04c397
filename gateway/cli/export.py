"""`passerelle audit export` and `verify-export`: one exchange with its proof, in a file that needs no log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.audit.questions.export import make_export
from gateway.audit.questions.export_check import verify_export as verdict_on
from gateway.audit.questions.export_form import is_export
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.trust import load_trust
from gateway.cli.audit_words import local
from gateway.cli.output import Exit
from gateway.cli.progress import progress
from gateway.cli.questions import no_answer, standing_json, standing_lines, write_new
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.questions.export_check import ExportVerdict
    from gateway.cli.output import Output
    from gateway.cli.questions import Copy


def export(output: Output, copy: Copy, exchange_id: str, out: Path) -> Exit:
    """Writes the proof of one exchange, once it verifies by itself."""
    try:
        wanted = UUID(exchange_id)
    except ValueError:
        raise ConfigurationError("exchange_id_malformed", text=exchange_id) from None
    try:
        standing, _ = copy.rows(output)
        trust = load_trust(copy.trust)
        with progress(output) as tell:
            data = make_export(
                copy.log, standing.note.encode(), trust, wanted, lambda done: tell("index", done, standing.size)
            )
    except NoAnswerError as error:
        return no_answer(output, error)
    # an export that its own reader would refuse is worth nothing: not written
    problem = verdict_on(data, trust).problem
    if problem is not None:
        return no_answer(output, NoAnswerError("export_fails", fault=problem.fault, detail=problem.detail))
    write_new(out, data, copy.log)
    output.result({"holds": True, "standing": standing_json(standing), "file": str(out), "bytes": len(data)})
    for text in standing_lines(output, standing):
        output.say("question.line", text=text)
    output.say("export.written", path=out, size=len(data))
    return Exit.HOLDS


def verify_export(output: Output, file: Path, trust: Path) -> Exit:
    """The verdict on such a file, from the anchors alone.

    Raises ConfigurationError for a file that does not even say that it is one: a slip, and no verdict.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=file, detail=error.strerror) from None
    if not is_export(data):
        raise ConfigurationError("not_an_export", path=file)
    verdict = verdict_on(data, load_trust(trust))
    _show(output, verdict)
    return Exit.HOLDS if verdict.holds else Exit.REFUSED


def _show(output: Output, verdict: ExportVerdict) -> None:
    problem, proven = verdict.problem, verdict.proven
    finding = None if problem is None else {"code": problem.fault, "detail": problem.detail, "file": problem.file or ""}
    output.result(
        {
            "holds": verdict.holds,
            "finding": finding,
            "proven": None if proven is None else asdict(proven),
            "unproven": list(verdict.unproven),
        }
    )
    if problem is not None:
        output.say("export.fails")
        output.say(f"audit.fault.{problem.fault}")
        output.say("audit.where", where=problem.file or "", detail=problem.detail)
    if proven is None or output.as_json:
        return
    output.say("export.holds")
    rows = asdict(proven) | {
        "at": local(proven.at),
        "fields": " ".join(proven.fields),
        "subjects": " ".join(proven.subjects),
    }
    width = max(len(output.t(f"export.row.{name}")) for name in rows)
    for name, value in rows.items():
        if value != "":
            output.console.print(f"{output.t(f'export.row.{name}'):{width}}  {value}", markup=False)
    output.say("export.unproven")
    for limit in verdict.unproven:
        output.say("audit.item", text=output.t(f"export.limit.{limit}"))
