"""`passerelle audit register`: the register of s. 67.3, as CSV, JSON or a page to print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.questions.disclosures import check_shown, find
from gateway.audit.questions.printing import Page, as_csv, local, utc
from gateway.audit.questions.register import register as register_of
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.questions.titles import Titles
from gateway.audit.verdict import Problem
from gateway.cli.output import Exit
from gateway.cli.questions import end_of, no_answer, standing_json, standing_lines, write_new, write_out

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.questions.disclosures import Question
    from gateway.audit.questions.register import Entry
    from gateway.audit.questions.standing import Standing
    from gateway.cli.output import Output
    from gateway.cli.questions import Copy

Format = Literal["csv", "json", "html"]
_COLUMNS = (
    "agreement", "party", "title", "nature", "purpose", "reason", "releases", "persons", "unnamed", "first", "last",
    "operation",
)  # fmt: skip
#: What a page has under the agreement's heading.
_ON_PAPER = ("title", "nature", "purpose", "reason", "releases", "persons", "unnamed", "first", "last")


def register(output: Output, copy: Copy, question: Question, form: Format, out: Path | None) -> Exit:
    """The register of a window, to a file that was not there or to standard output."""
    try:
        standing, rows = copy.rows(output)
        found = find(rows, question)
        check_shown(copy.log, standing.size, found.rows)
        entries = register_of(rows, found, Titles(Objects(LogFolder(copy.log)), output.t.language))
    except Problem as problem:
        return no_answer(output, NoAnswerError("copy_changed", detail=problem.detail))
    except NoAnswerError as error:
        return no_answer(output, error)
    content = _written(output, standing, question, entries, form)
    if out is None:
        write_out(content)
    else:
        write_new(out, content.encode(), copy.log)
        output.say("register.written", path=out, count=len(entries))
    if form == "csv":  # the other forms say it inside
        for text in standing_lines(output, standing):
            output.fail("question.line", text=text)
    return Exit.HOLDS


def _written(output: Output, standing: Standing, question: Question, entries: tuple[Entry, ...], form: Format) -> str:
    lines = [_line(output, entry) for entry in entries]
    if form == "json":
        window = {"from": utc(question.since), "to": end_of(question)}
        content = {"holds": True, "standing": standing_json(standing), "window": window, "register": lines}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    if form == "csv":
        heads = [output.t(f"question.column.{name}") for name in _COLUMNS]
        return as_csv(heads, [[line[name] for name in _COLUMNS] for line in lines], output.t.language)
    return _page(output, standing, question, lines)


def _line(output: Output, entry: Entry) -> dict[str, object]:
    return {
        "agreement": entry.agreement,
        "party": entry.party,
        "title": entry.recipient,
        "nature": "\n".join(f"{name}: {text}" for name, text in entry.nature),
        "purpose": entry.purpose,
        "reason": entry.reason or output.t("register.no_reason"),
        "releases": entry.releases,
        "persons": entry.persons,
        "unnamed": entry.unnamed,
        "first": local(entry.first),
        "last": local(entry.last),
        "operation": f"{entry.operation}: {entry.service}",
    }


def _window(output: Output, question: Question) -> str:
    since = local(question.since) if question.since else None
    until = None if end_of(question) is None else local(question.until)
    if since and until:
        return output.t("register.window", since=since, until=until)
    if since:
        return output.t("register.window_since", since=since)
    return output.t("register.window_until", until=until) if until else output.t("register.window_all")


def _page(output: Output, standing: Standing, question: Question, lines: list[dict[str, object]]) -> str:
    t = output.t
    page = Page(t("register.title"), t.language)
    page.paragraph(t("register.law"))
    page.paragraph(_window(output, question))
    if not lines:
        page.paragraph(t("question.none"))
    heads = [t(f"question.column.{name}") for name in _ON_PAPER]
    for agreement in dict.fromkeys(line["agreement"] for line in lines):
        mine = [line for line in lines if line["agreement"] == agreement]
        page.heading(t("register.agreement", agreement=agreement))
        caption = "; ".join(dict.fromkeys(str(line["operation"]) for line in mine))
        page.table(caption, heads, [[line[name] for name in _ON_PAPER] for line in mine])
    page.heading(t("register.basis"))
    for text in standing_lines(output, standing):
        page.paragraph(text, small=True)
    for word in standing.unproven:
        text = t(f"audit.unproven.{word}", unacknowledged=standing.unacknowledged)
        page.paragraph(t("register.unproven", text=text), small=True)
    return page.html()
