"""JSON read strictly (C7): UTF-8, no repeated keys, no NaN, no numbers past 2^53, no depth to speak of."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

_DEEPEST = 16
_LARGEST = 2**53 - 1


class JsonError(ValueError):
    """Bytes that are not the JSON we accept; carries no part of the input."""


def parse_object(body: bytes) -> dict[str, Any]:
    """The object; raises JsonError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    if _deepest(text) > _DEEPEST:
        raise JsonError("too deep")
    try:
        value = _READER.decode(text)
    except JsonError:
        raise
    except (ValueError, RecursionError):
        raise JsonError("not JSON") from None
    if "\\u" in text and not _encodable(value):
        raise JsonError("half a surrogate pair")
    if not isinstance(value, dict):
        raise JsonError("not an object")
    return value


def _encodable(value: object) -> bool:
    # A lone surrogate is a Python string that no encoding can write.
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _deepest(text: str) -> int:
    # Counted before the parser recurses; most messages hold too few brackets to need the walk.
    depth = deepest = 0
    inside = escaped = False
    if text.count("{") + text.count("[") <= _DEEPEST:
        return 0
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise JsonError("a key is repeated")
    return value


def _constant(_name: str) -> float:
    raise JsonError("NaN and Infinity are no JSON")


def _integer(text: str) -> int:
    if len(text) > len(str(_LARGEST)) + 1 or abs(value := int(text)) > _LARGEST:
        raise JsonError("a number is too big")
    return value


def _number(text: str) -> float | int:
    value = float(text)
    if abs(value) > _LARGEST:
        raise JsonError("a number is too big")
    # A whole number is one however it is written: 5.0 and 5e0 are the 5 that XML says too.
    whole = value.is_integer() and Decimal(text) == int(value)
    return int(value) if whole else value


#: Made once: ``json.loads`` makes one at each call that is not as usual.
_READER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_number)
