"""Answers as files that people open: CSV for a spreadsheet, HTML for a printer."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    Language = Literal["fr", "en"]

_LOCAL = ZoneInfo("America/Toronto")
_MILLION = 1_000_000
_MONTHS = {
    "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
           "décembre"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December"),
}  # fmt: skip
_AGAIN = {"fr": ", après le retour à l'heure normale", "en": ", after the clocks went back"}
#: What a spreadsheet would take for a formula, or strip before it does.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: Spreadsheets know UTF-8 by this mark alone, and their separator by the language of the machine.
_MARK = "\ufeff"
_SEPARATOR = {"fr": ";", "en": ","}

_STYLE = """
body { font: 10pt/1.4 system-ui, sans-serif; margin: 2rem; color: #111; }
h1 { font-size: 16pt; } h2 { font-size: 12pt; margin: 1.5rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #767676; padding: .3rem .5rem; text-align: left; vertical-align: top; }
thead th { background: #eee; }
td.n { text-align: right; }
p.small, footer { font-size: 9pt; overflow-wrap: anywhere; }
@media print { body { margin: 0; } thead { display: table-header-group; } tr { break-inside: avoid; }
  h2 { break-after: avoid; } }
@page { size: letter landscape; margin: 15mm; }
""".strip()


def moment(at: int) -> datetime:
    """An instant from microseconds since 1970."""
    return datetime.fromtimestamp(at // _MILLION, UTC).replace(microsecond=at % _MILLION)


def utc(at: int) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def local(at: int) -> str:
    """The same instant in Québec, with its offset."""
    return moment(at).astimezone(_LOCAL).isoformat(timespec="seconds")


def readable(at: int, language: Language) -> str:
    """The same for people, in words, to the minute; an hour that comes twice in autumn is told apart."""
    there = moment(at).astimezone(_LOCAL)
    month, again = _MONTHS[language][there.month - 1], _AGAIN[language] if there.fold else ""
    if language == "fr":
        day = "1er" if there.day == 1 else there.day
        return f"{day} {month} {there.year}, {there.hour} h {there.minute:02}{again} (heure du Québec)"
    return f"{month} {there.day}, {there.year}, {there:%H:%M}{again} (Québec time)"


def as_csv(head: Sequence[str], rows: Iterable[Sequence[object]], language: Language) -> str:
    """RFC 4180, after a byte order mark; separated by semicolons in French, by commas in English.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    written = io.StringIO()
    writer = csv.writer(written, delimiter=_SEPARATOR[language], lineterminator="\r\n")
    for row in (head, *rows):
        writer.writerow([_cell(value) for value in row])
    return _MARK + written.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


class Page:
    """A page to print: no script, nothing fetched from elsewhere, tables whose heads say what they head."""

    def __init__(self, title: str, language: Language) -> None:
        self._title, self._language = title, language
        self._body: list[str] = [f"<h1>{escape(title)}</h1>"]

    def paragraph(self, text: str, *, small: bool = False) -> None:
        """A paragraph of plain text."""
        self._body.append(f"<p{' class=small' if small else ''}>{escape(text)}</p>")

    def heading(self, text: str) -> None:
        """A heading of the second level."""
        self._body.append(f"<h2>{escape(text)}</h2>")

    def table(self, caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table; the first cell of a row heads it, numbers stand to the right."""
        heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
        lines = "\n".join(f"<tr>{_cells(row)}</tr>" for row in rows)
        self._body.append(
            f"<table><caption class=small>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n"
            f"<tbody>\n{lines}\n</tbody></table>"
        )

    def html(self) -> str:
        """The whole document."""
        return (
            f'<!DOCTYPE html>\n<html lang="{self._language}">\n<head>\n<meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>{escape(self._title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
            + "\n".join(self._body)
            + "\n</body>\n</html>\n"
        )


def _cells(row: Sequence[object]) -> str:
    first, *others = row
    cells = [f'<th scope="row">{escape(str(first))}</th>']
    for value in others:
        kind = " class=n" if isinstance(value, int) else ""
        lines = "<br>".join(escape(line) for line in str(value).split("\n"))
        cells.append(f"<td{kind}>{lines}</td>")
    return "".join(cells)
