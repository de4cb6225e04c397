"""A page for people as a list of blocks, written as Markdown (committed) or HTML (served): same words, two spellings.

In a block's text, code between backticks, bold between double asterisks and links are marked up, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from contracts.declaration import Language

_INLINE: Final = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<text>[^\]]+)\]\((?P<address>[^)\s]+)\)")
_STYLE: Final = (
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #767676;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}pre{background:#f2f2f2;padding:.8rem;overflow:auto}code{font-family:monospace;"
    "overflow-wrap:anywhere}a{color:#0b4f8a}"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A title, level 1 to 4; ``anchor`` is where links point, its text where none is said."""

    level: int
    text: str
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it stands, of a language (``json``, ``xml``, ``http``)."""

    language: str
    text: str


Block = Heading | Paragraph | Table | Code


def markdown(blocks: Iterable[Block]) -> str:
    """The page in Markdown, a last newline."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text, _):
            return f"{'#' * level} {_line(text)}"
        case Paragraph(text):
            return text
        case Code(language, text):
            return f"```{language}\n{text.rstrip()}\n```"
        case Table(heads, rows):
            lines = ([_line(cell).replace("|", r"\|") for cell in row] for row in (heads, ["---"] * len(heads), *rows))
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(text: str) -> str:
    """A heading and a row end with their line, whatever somebody wrote into a description."""
    return " ".join(text.split("\n"))


def html(blocks: Sequence[Block], language: Language) -> str:
    """The page in HTML: whole, with no script and nothing from elsewhere; its title is the first heading's."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "").replace("`", "")
    content = "\n".join(_html(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{content}\n</main>\n"
        "</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(level, text, anchor):
            return f'<h{level} id="{escape(anchor or text)}">{_inline(text)}</h{level}>'
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Code(_, text):
            return f"<pre><code>{escape(text.rstrip())}</code></pre>"
        case Table(heads, rows):
            top = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in heads)
            lines = "\n".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return f"<table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"


def _inline(text: str) -> str:
    parts, at = [], 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[at : match.start()], quote=False))
        if match["code"] is not None:
            parts.append(f"<code>{escape(match['code'], quote=False)}</code>")
        elif match["strong"] is not None:
            parts.append(f"<strong>{_inline(match['strong'])}</strong>")
        else:
            parts.append(f'<a href="{escape(match["address"])}">{_inline(match["text"])}</a>')
        at = match.end()
    return "".join([*parts, escape(text[at:], quote=False)])
