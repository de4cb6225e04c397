"""The one table of errors: code to status and words; whatever is not in it becomes an opaque 500."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors import Refusal

Language = Literal["fr", "en"]
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Row:
    """What is said outside of one code; ``retry_after`` in seconds."""

    status: int
    title: Mapping[str, str]
    next: Mapping[str, str]
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as it leaves over REST (RFC 9457)."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


def load_table() -> Mapping[Code, Row]:
    """The table beside this module; a row that lacks a word raises TypeError at start, not at night."""
    text = files("gateway.messages").joinpath("errors.toml").read_text(encoding="utf-8")
    return {Code(code): Row(**row) for code, row in tomllib.loads(text).items()}


class ErrorTable:
    """Renders refusals; French unless the caller prefers English."""

    def __init__(self) -> None:
        self._rows = load_table()

    def row(self, code: Code) -> Row:
        """What is said of a code."""
        return self._rows.get(code, self._rows[Code.INTERNAL])

    def render(self, refusal: Refusal, exchange_id: str, accept_language: str) -> Rendered:
        """Both languages, the chosen one first: never the input's data, never a library's text."""
        row = self.row(refusal.code)
        language = preferred(accept_language)
        other = "en" if language == "fr" else "fr"
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
        retry = getattr(refusal, "retry_after", None) or row.retry_after
        headers = [("Content-Language", f"{language}, {other}")]
        if retry is not None:
            headers.append(("Retry-After", str(retry)))
        body = json.dumps(problem, ensure_ascii=False, separators=(",", ":")).encode()
        return Rendered(row.status, PROBLEM, body, tuple(headers))


def preferred(accept_language: str) -> Language:
    """``en`` when English is asked for before French, ``fr`` otherwise (the Charter's default)."""
    for part in accept_language.lower().split(","):
        tag = part.strip()[:2]
        if tag in ("fr", "en"):
            return "en" if tag == "en" else "fr"
    return "fr"
