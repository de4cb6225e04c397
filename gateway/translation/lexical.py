"""One value as text, in XML, in a path or in a query: read into its canonical form, and written.

The spellings are XSD's (XML Schema part 2, section 3), narrowed by ``contracts.leaves.LEXICAL`` for dates, moments and
bytes: a date has no zone, a moment ends in Z, base64 is in one line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contracts.leaves import INTEGER_MAX, LEXICAL
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contracts.leaves import Kind, Text

Value = str | int | bool
#: What XML calls white space (XML 1.0, production 3), and nothing else that Python would strip.
SPACE = " \t\r\n"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_DECIMAL = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,16})")


def reader_of(text: Text) -> Callable[[str], Value]:
    """Reads a leaf's text as XML has it, white space around it included; what it gives raises LexicalError.

    Strings come as they stand; of all other kinds the white space around is not part of the value. Whether the value
    obeys the leaf's pattern, list or bounds, and whether a date is in the calendar, its schema says.
    """
    return _READERS[text.kind]


def lexical(value: object) -> str:
    """The one text of a canonical value; raises LexicalError for what is no leaf's value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise LexicalError


def _string(text: str) -> str:
    return text


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip(SPACE))
    if value is None:
        raise LexicalError
    return value


def _integer(text: str) -> int:
    # Matched before it is converted: int() takes underscores and other scripts' digits, and no more than 4,300 of any.
    match = _INTEGER.fullmatch(text.strip(SPACE))
    if match is None or int(match[2]) > INTEGER_MAX:
        raise LexicalError
    return int(match[1] + match[2])


def _decimal(text: str) -> str:
    match = _DECIMAL.fullmatch(text.strip(SPACE))
    if match is None:
        raise LexicalError
    sign, whole, fraction = match.groups(default="")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    digits = f"{whole}.{fraction}" if fraction else whole
    return f"-{digits}" if sign == "-" and digits != "0" else digits


def _of_one_form(kind: Kind) -> Callable[[str], str]:
    form = re.compile(LEXICAL[kind][1:-1])

    def read(text: str) -> str:
        plain = text.strip(SPACE)
        if not form.fullmatch(plain):
            raise LexicalError
        return plain

    return read


_READERS: Mapping[Kind, Callable[[str], Value]] = {
    "string": _string,
    "date": _of_one_form("date"),
    "date-time": _of_one_form("date-time"),
    "decimal": _decimal,
    "integer": _integer,
    "boolean": _boolean,
    "base64": _of_one_form("base64"),
}
