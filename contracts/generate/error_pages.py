"""The page of errors for integrators: what each code means, what to do, and what it looks like in both forms."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from contracts.generate.document import Code, Heading, Paragraph, html, markdown
from contracts.generate.openapi_parts import EXAMPLE_ID, problem_example
from contracts.generate.places import Served
from contracts.generate.words import Words
from contracts.names import EXCHANGE_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.declaration import Language
    from contracts.generate.document import Block
    from contracts.generate.error_table import ErrorEntry


def markdown_errors(errors: Sequence[ErrorEntry], language: Language) -> str:
    """``docs/errors/errors.LANGUAGE.md``."""
    words = Words(language)
    return markdown(_page(errors, words, f"errors.{words.other}.md"))


def html_errors(errors: Sequence[ErrorEntry], language: Language) -> str:
    """The page that the gateway serves at ``places.Served().errors(language)``."""
    words = Words(language)
    return html(_page(errors, words, Served().errors(words.other)), language)


def _page(errors: Sequence[ErrorEntry], words: Words, other: str) -> list[Block]:
    blocks: list[Block] = [
        Heading(1, words("errors_title")),
        Paragraph(words("errors_page_intro", other=other)),
    ]
    for entry in errors:
        blocks += _error(entry, words)
    return blocks


def _error(entry: ErrorEntry, words: Words) -> list[Block]:
    language = words.language
    blocks: list[Block] = [
        Heading(2, entry.code),
        Paragraph(f"**{entry.title[language]}** (HTTP {entry.status}). {entry.meaning[language]}"),
        Paragraph(f"{words('what_to_do')} {entry.next[language]}"),
    ]
    if entry.next_soap != entry.next:
        blocks.append(Paragraph(f"{words('what_to_do_soap')} {entry.next_soap[language]}"))
    if entry.retry_after is not None:
        blocks.append(Paragraph(words("retry", seconds=entry.retry_after)))
    if entry.by_rest:
        shown = json.dumps(problem_example(entry, language), ensure_ascii=False, indent=2)
        blocks += [Paragraph(words("by_rest")), Code("json", shown)]
    if entry.by_soap:
        blocks += [Paragraph(words("by_soap")), Code("xml", _fault(entry, language))]
    return blocks


def _fault(entry: ErrorEntry, language: Language) -> str:
    """As gateway.messages.faults writes it, with line breaks; a test holds one to the other."""
    blame = "MustUnderstand" if entry.code == "header_not_understood" else "Client" if entry.status < 500 else "Server"  # noqa: PLR2004  HTTP's own border between their errors and ours
    languages: tuple[Language, ...] = ("fr", "en") if language == "fr" else ("en", "fr")
    problem = [f"<x:code>{entry.code}</x:code>", f"<x:exchange_id>{EXAMPLE_ID}</x:exchange_id>"]
    problem += [f'<x:title xml:lang="{each}">{_escaped(entry.title[each])}</x:title>' for each in languages]
    problem += [f'<x:detail xml:lang="{each}">{_escaped(entry.next_soap[each])}</x:detail>' for each in languages]
    if entry.retry_after is not None:
        problem.append(f"<x:retry_after>{entry.retry_after}</x:retry_after>")
    lines = "\n".join(f"      {line}" for line in problem)
    return (
        f"<soap:Fault>\n  <faultcode>soap:{blame}</faultcode>\n"
        f'  <faultstring xml:lang="{language}">{_escaped(entry.title[language])}</faultstring>\n'
        f'  <detail>\n    <x:Problem xmlns:x="{EXCHANGE_NAMESPACE}">\n{lines}\n    </x:Problem>\n  </detail>\n'
        "</soap:Fault>"
    )


def _escaped(text: str) -> str:
    return escape(text, quote=False)
