"""What the page of errors shows is what the gateway sends, in both forms."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from contracts.generate.error_pages import markdown_errors
from contracts.generate.openapi_parts import EXAMPLE_ID
from gateway.errors import Code, Refusal
from gateway.messages.faults import fault
from gateway.messages.table import ErrorTable, load_table

if TYPE_CHECKING:
    from contracts.generate.error_table import ErrorEntry
    from contracts.loader import Language


def _shown(part: str, form: str) -> str | None:
    found = re.search(rf"```{form}\n(.*?)\n```", part, re.DOTALL)
    return found[1] if found else None


def _flat(written: str) -> str:
    """Without line breaks between elements, and under one prefix."""
    return re.sub(r">\s+<", "><", written).replace("px:", "x:").replace("xmlns:px", "xmlns:x").strip()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_shows_what_is_sent(errors: tuple[ErrorEntry, ...], language: Language) -> None:
    page, table, rows = markdown_errors(errors, language), ErrorTable(), load_table()
    languages: tuple[Language, ...] = ("fr", "en") if language == "fr" else ("en", "fr")
    for code in Code:
        part = page.split(f"\n## {code.value}\n")[1].split("\n## ")[0]
        problem, shown = _shown(part, "json"), _shown(part, "xml")
        sent = table.render(Refusal(code), EXAMPLE_ID, language)
        written = fault(rows[code], Refusal(code), EXAMPLE_ID, languages, rows[code].retry_after, "soap11").decode()
        assert problem is None or json.loads(problem) == json.loads(sent.body)
        assert shown is None or _flat(shown) == _flat(written)
        assert problem or shown, code
