"""The leaves of a message: one lexical value each, the same text in JSON and in XML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from contracts.errors import ContractError
from contracts.patterns import check_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["string", "date", "date-time", "decimal", "integer", "boolean", "base64"]
#: Integers that every reader of JSON holds exactly (RFC 8259, section 6; I-JSON, RFC 7493).
INTEGER_MAX = 2**53 - 1
#: The one form of a value, where its kind is more than a format: anchored, in the syntax of contracts.patterns.
#: Years have four digits and no zero first: XSD has no year 0. A moment is in UTC; a decimal has no zero too many.
LEXICAL: Mapping[Kind, str] = {
    "string": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]*$",
    "date": r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$",
    "date-time": r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z$",
    "decimal": r"^(0|-?([1-9][0-9]{0,17}(\.[0-9]{0,17}[1-9])?|0\.[0-9]{0,17}[1-9]))$",
    "base64": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$",
}

_FORMATS: dict[str, Kind] = {"date": "date", "date-time": "date-time", "decimal": "decimal"}
#: What only free text can have: of a date or of bytes, XSD would count or match something else.
_OF_STRINGS = ("pattern", "minLength", "maxLength", "enum")


@dataclass(frozen=True, slots=True)
class Text:
    """A leaf: one lexical value. Lengths count characters; ``pattern`` is anchored (contracts.patterns)."""

    kind: Kind
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None


def text_of(type_name: str, schema: Mapping[str, Any], where: str) -> Text:
    """The leaf that a schema of that type declares; raises ContractError."""
    if type_name == "boolean":
        return Text("boolean")
    if type_name == "integer":
        minimum, maximum = bound(schema, "minimum", where, -INTEGER_MAX), bound(schema, "maximum", where, -INTEGER_MAX)
        _ordered(minimum, maximum, "maximum", where)
        return Text("integer", minimum=minimum, maximum=maximum)
    kind = _string_kind(schema, where)
    if kind != "string" and (unfit := next((word for word in _OF_STRINGS if word in schema), None)):
        raise ContractError(f"{where}: {unfit} is for free text; a {kind} has its one form already", (unfit,))
    least, most = bound(schema, "minLength", where, 0), bound(schema, "maxLength", where, 0)
    _ordered(least, most, "maxLength", where)
    return Text(kind, _enum(schema, where), _pattern(schema, where), least, most)


def bound(schema: Mapping[str, Any], word: str, where: str, least: int) -> int | None:
    """The whole number that a word of the schema says, None where it says none; raises ContractError."""
    value = schema.get(word)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and least <= value <= INTEGER_MAX):
        raise ContractError(f"{where}: {word} is a whole number from {least} to {INTEGER_MAX}", (word,))
    return value


def _ordered(least: int | None, most: int | None, word: str, where: str) -> None:
    if least is not None and most is not None and least > most:
        raise ContractError(f"{where}: {word} is below its minimum; no value would be valid", (word,))


def _string_kind(schema: Mapping[str, Any], where: str) -> Kind:
    encoded = schema.get("contentEncoding")
    if encoded is not None or schema.get("sensitivity") == "salt":
        if encoded not in {None, "base64"} or "format" in schema:
            word = "contentEncoding" if "contentEncoding" in schema else "format"
            raise ContractError(f"{where}: contentEncoding is base64, and has no format beside it", (word,))
        return "base64"
    if "format" not in schema:
        return "string"
    if (known := _FORMATS.get(str(schema["format"]))) is None:
        raise ContractError(f"{where}: format is one of {', '.join(_FORMATS)}; for others use a pattern", ("format",))
    return known


def _pattern(schema: Mapping[str, Any], where: str) -> str | None:
    if "pattern" not in schema:
        return None
    pattern = schema["pattern"]
    if wrong := check_pattern(pattern) if isinstance(pattern, str) else "a pattern is text":
        raise ContractError(f"{where}: {wrong}", ("pattern",))
    return str(pattern)


def _enum(schema: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if "enum" not in schema:
        return ()
    values = schema["enum"] if isinstance(schema["enum"], list) else []
    words = tuple(value for value in values if isinstance(value, str) and value)
    nulls = values.count(None)
    if not words or len(set(words)) + nulls != len(values) or nulls != isinstance(schema["type"], list):
        raise ContractError(f"{where}: enum lists texts, each once, and null where the type allows null", ("enum",))
    return words
