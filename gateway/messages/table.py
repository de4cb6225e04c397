"""The one table of errors: code to status and words; whatever is not in it becomes an opaque 500."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from gateway.errors import Code
from gateway.messages.faults import fault, fault_status, fault_type, unsigned_envelope
from gateway.model import Content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors import Refusal
    from gateway.model import Received

Language = Literal["fr", "en"]
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Row:
    """What is said outside of one code; ``retry_after`` in seconds; ``next_soap`` where SOAP asks something else."""

    status: int
    title: Mapping[str, str]
    next: Mapping[str, str]
    retry_after: int | None = None
    next_soap: Mapping[str, str] | None = None


def load_table() -> Mapping[Code, Row]:
    """The table beside this module; a row that lacks a word raises TypeError at start, not at night."""
    return {Code(code): Row(**row) for code, row in tomllib.loads(table_content().decode()).items()}


def table_content() -> bytes:
    """The table as it stands in its file."""
    return files("gateway.messages").joinpath("errors.toml").read_bytes()


class ErrorTable:
    """Renders refusals; French unless the caller prefers English."""

    def __init__(self) -> None:
        self._rows = load_table()

    def row(self, code: Code) -> Row:
        """What is said of a code."""
        return self._rows.get(code, self._rows[Code.INTERNAL])

    def content(self, refusal: Refusal, exchange_id: str, received: Received) -> Content:
        """What is said of a refusal, in the caller's form: a problem (RFC 9457), or a soap:Fault for a signed Body."""
        language = received.headers.get("accept-language", "")
        if received.form == "rest":
            return self.render(refusal, exchange_id, language)
        row, form = self.row(refusal.code), received.form
        first, second = _languages(language)
        retry = _retry_after(refusal, row)
        body = fault(row, refusal, exchange_id, (first, second), retry, form)
        return Content(fault_status(row, form), fault_type(form), body, _headers(f"{first}, {second}", retry))

    def unsigned(self, refusal: Refusal, exchange_id: str, received: Received) -> Content:
        """The same as a whole body, for what leaves without a signature."""
        shown = self.content(refusal, exchange_id, received)
        if received.form == "rest":
            return shown
        return replace(shown, body=unsigned_envelope(shown.body, received.form))

    def render(self, refusal: Refusal, exchange_id: str, accept_language: str) -> Content:
        """A problem in both languages, the chosen one first: never the input's data, never a library's text."""
        row = self.row(refusal.code)
        language, other = _languages(accept_language)
        problem: dict[str, object] = {
            "type": f"urn:passerelle:error:{refusal.code.value}",
            "title": row.title[language],
            "status": row.status,
            "detail": row.next[language],
            "code": refusal.code.value,
            "exchange_id": exchange_id,
            f"title_{other}": row.title[other],
            f"detail_{other}": row.next[other],
        }
        if refusal.component is not None:
            problem["component"] = refusal.component
        if refusal.reason is not None:
            problem["reason"] = refusal.reason
        body = json.dumps(problem, ensure_ascii=False, separators=(",", ":")).encode()
        return Content(row.status, PROBLEM, body, _headers(f"{language}, {other}", _retry_after(refusal, row)))


def _retry_after(refusal: Refusal, row: Row) -> int | None:
    return refusal.retry_after or row.retry_after


def _headers(languages: str, retry_after: int | None) -> tuple[tuple[str, str], ...]:
    retry = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return (("Content-Language", languages), *retry)


def _languages(accept_language: str) -> tuple[Language, Language]:
    return ("en", "fr") if preferred(accept_language) == "en" else ("fr", "en")


def preferred(accept_language: str) -> Language:
    """``en`` when English is asked for before French, ``fr`` otherwise (the Charter's default)."""
    for part in accept_language.lower().split(","):
        tag = part.strip()[:2]
        if tag in ("fr", "en"):
            return "en" if tag == "en" else "fr"
    return "fr"
