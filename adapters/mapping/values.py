"""One value between its canonical form and another system's text: tables, date formats, spellings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.model import Nirec
from gateway.translation.lexical import lexical, reader_of
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contracts.leaves import Text

Value = str | int | bool
_CANONICAL = {"date": "%Y-%m-%d", "date-time": "%Y-%m-%dT%H:%M:%SZ"}


class ValueUnfitError(ValueError):
    """A value that has no counterpart in the other form; carries nothing of it."""


def writer(values: Mapping[str, str], form: str | None, kind: str) -> Callable[[object], str]:
    """Their text of a canonical value; raises ValueUnfitError.

    ``form`` is their date format, ``kind`` the canonical leaf's.
    """

    def write(value: object) -> str:
        # The one place where a NIREC is revealed: on its way to the registry that made it (N1).
        text = value.reveal() if isinstance(value, Nirec) else _lexical(value)
        if values:
            if text not in values:
                raise ValueUnfitError
            return values[text]
        return text if form is None else _rewritten(text, _CANONICAL[kind], form)

    return write


def reader(values: Mapping[str, str], form: str | None, leaf: Text) -> Callable[[str], Value]:
    """The canonical value of their text; raises ValueUnfitError."""
    read = reader_of(leaf)

    def taken(text: str) -> Value:
        if values:
            if text.strip() not in values:
                raise ValueUnfitError
            text = values[text.strip()]
        elif form is not None:
            text = _rewritten(text.strip(), form, _CANONICAL[leaf.kind])
        elif leaf.kind == "date-time":
            text = _in_utc(text.strip())
        try:
            return read(text)
        except LexicalError:
            raise ValueUnfitError from None

    return taken


def _lexical(value: object) -> str:
    try:
        return lexical(value)
    except LexicalError:
        raise ValueUnfitError from None


def _rewritten(text: str, old: str, new: str) -> str:
    try:
        moment = datetime.strptime(text, old)  # noqa: DTZ007  a day has no zone; a moment without one is in UTC
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).strftime(new)
    except (ValueError, OverflowError):  # the latter: in UTC it is a year that there is not
        raise ValueUnfitError from None


def _in_utc(text: str) -> str:
    """A moment with whatever offset, in UTC; its fraction stays."""
    if text.endswith("Z"):
        return text
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueUnfitError
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueUnfitError from None
