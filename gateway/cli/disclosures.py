"""`passerelle audit disclosures`: who was told what about whom."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.questions.disclosures import check_shown, find, unknown_words
from gateway.audit.questions.printing import as_csv, local, utc
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.questions.titles import Titles
from gateway.audit.verdict import Problem
from gateway.cli.output import Exit
from gateway.cli.questions import end_of, no_answer, standing_json, standing_lines, write_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.audit.questions.disclosures import Found, Question
    from gateway.audit.questions.rows import Row
    from gateway.cli.output import Output
    from gateway.cli.questions import Copy

_COLUMNS = (
    "time_utc", "time_local", "party", "title", "operation", "purpose", "agreement", "legal_basis", "fields",
    "handle", "subject", "role", "outcome", "exchange_id", "leaf",
)  # fmt: skip
#: What can be asked for, and the column that it is in.
_KINDS = {
    "party": "party", "operation": "operation", "purpose": "purpose", "agreement": "agreement", "field": "fields",
}  # fmt: skip


def disclosures(output: Output, copy: Copy, question: Question, *, as_table: bool = False) -> Exit:
    """The disclosures that answer the question, in words, JSON, or with ``as_table`` CSV."""
    try:
        standing, rows = copy.rows(output)
        found = find(rows, question)
        check_shown(copy.log, standing.size, found.rows)
        titles = Titles(Objects(LogFolder(copy.log)), output.t.language)
        lines = [_line(row, titles) for row in found.rows]
    except Problem as problem:
        return no_answer(output, NoAnswerError("copy_changed", detail=problem.detail))
    except NoAnswerError as error:
        return no_answer(output, error)
    unknown = unknown_words(rows, question)
    for kind, words in unknown.items():
        output.fail("question.unknown", kind=output.t(f"question.column.{_KINDS[kind]}"), words=", ".join(words) or "—")
    if as_table:
        heads = [output.t(f"question.column.{name}") for name in _COLUMNS]
        write_out(as_csv(heads, [[line[name] for name in _COLUMNS] for line in lines], output.t.language))
        for text in standing_lines(output, standing):
            output.fail("question.line", text=text)
        return Exit.HOLDS
    output.result(
        {
            "holds": True,
            "standing": standing_json(standing),
            "question": asdict(question) | {"since": utc(question.since), "until": end_of(question)},
            "unknown": sorted(unknown),
            "names": sorted(found.names),
            "joins": [asdict(join) for join in found.joins],
            "disclosures": lines,
        }
    )
    for text in standing_lines(output, standing):
        output.say("question.line", text=text)
    _say(output, question, found, lines)
    return Exit.HOLDS


def _line(row: Row, titles: Titles) -> dict[str, object]:
    terms, subject = row.terms, row.subject
    return {
        "time_utc": utc(row.at),
        "time_local": local(row.at),
        "party": terms.party,
        "title": titles.party(terms),
        "operation": terms.operation,
        "purpose": terms.purpose,
        "agreement": terms.agreement,
        "legal_basis": titles.legal_basis(terms),
        "fields": " ".join(terms.fields),
        "handle": subject.handle if subject else "",
        "subject": subject.ledger if subject else "",
        "role": (subject.role or "") if subject else "",
        "outcome": terms.outcome,
        "exchange_id": str(row.exchange_id),
        "leaf": row.index,
    }


def _say(output: Output, question: Question, found: Found, lines: Sequence[dict[str, object]]) -> None:
    if question.subject is not None:
        key = "question.no_such_subject"
        if found.names:
            key = "question.by_handle" if found.by_handle else "question.by_name"
        output.say(key, names=len(found.names))
        for join in found.joins:
            output.say("question.join", **asdict(join))
    if not lines:
        output.say("question.none")
    for line in lines:
        output.say("question.disclosure", **line)
        output.say("question.basis", **line)
        if line["subject"]:
            role = output.t(f"question.role.{line['role']}") if line["role"] else ""
            output.say("question.about", child=f"{line['handle']} {role}".rstrip())
        output.say("question.where", **line)
    if lines:
        output.say("question.count", count=len(lines), exchanges=len({line["exchange_id"] for line in lines}))
