"""Structured fields (RFC 8941), strictly: what HTTP signatures need of them, parsed and serialised.

Duplicate keys, trailing text and base64 that is not its own re-encoding are errors here, where the RFC is lenient.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TypeAlias


class MalformedFieldError(ValueError):
    """A structured field that is not one; carries no part of the input."""


class Token(str):
    """A token, which is no string."""

    __slots__ = ()


BareItem: TypeAlias = bool | int | str | bytes | Token
Parameters: TypeAlias = tuple[tuple[str, BareItem], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item with its parameters."""

    value: BareItem
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class InnerList:
    """A list of items with its own parameters: a Signature-Input member."""

    items: tuple[Item, ...]
    parameters: Parameters = ()


_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]{0,63}")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_BOOLEAN = re.compile(r"\?([01])")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_SPACES = re.compile(r" +")
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 8192


class _Reader:
    """A position in a text that only moves forwards."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST or not text.isascii():
            raise MalformedFieldError("too long, or not ASCII")
        self.text = text.strip(" ")
        self.at = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip(self, literal: str) -> bool:
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    @property
    def done(self) -> bool:
        return self.at == len(self.text)


def parse_dictionary(text: str) -> dict[str, Item | InnerList]:
    """The members of a dictionary field; raises MalformedFieldError, also for a repeated key."""
    reader = _Reader(text)
    members: dict[str, Item | InnerList] = {}
    while not reader.done:
        key = _key(reader)
        if key in members:
            raise MalformedFieldError("a key is repeated")
        members[key] = _member(reader) if reader.skip("=") else Item(value=True, parameters=_parameters(reader))
        if not reader.done and (reader.take(_COMMA) is None or reader.done):
            raise MalformedFieldError("members are not separated by commas")
    return members


def _member(reader: _Reader) -> Item | InnerList:
    if not reader.skip("("):
        return Item(_bare(reader), _parameters(reader))
    items: list[Item] = []
    reader.take(_SPACES)
    while not reader.skip(")"):
        items.append(Item(_bare(reader), _parameters(reader)))
        if reader.take(_SPACES) is None and not reader.text.startswith(")", reader.at):
            raise MalformedFieldError("an inner list does not end")
    return InnerList(tuple(items), _parameters(reader))


def _key(reader: _Reader) -> str:
    match = reader.take(_KEY)
    if match is None:
        raise MalformedFieldError("a key is missing")
    return match[0]


def _parameters(reader: _Reader) -> Parameters:
    found: dict[str, BareItem] = {}
    while reader.skip(";"):
        reader.take(_SPACES)
        key = _key(reader)
        if key in found:
            raise MalformedFieldError("a parameter is repeated")
        found[key] = _bare(reader) if reader.skip("=") else True
    return tuple(found.items())


def _bare(reader: _Reader) -> BareItem:
    if match := reader.take(_STRING):
        return _ESCAPED.sub(r"\1", match[1])
    if match := reader.take(_INTEGER):
        return int(match[0])
    if match := reader.take(_BYTES):
        return decode_base64(match[1])
    if match := reader.take(_BOOLEAN):
        return match[1] == "1"
    if match := reader.take(_TOKEN):
        return Token(match[0])
    raise MalformedFieldError("an item is malformed")


def decode_base64(text: str) -> bytes:
    """Standard base64 with padding; raises MalformedFieldError unless it is the one encoding of its bytes."""
    try:
        value = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise MalformedFieldError("base64 is malformed") from None
    if b64encode(value).decode() != text:
        raise MalformedFieldError("base64 is not canonical")
    return value


def serialise(value: Item | InnerList) -> str:
    """The one serialisation of a member (RFC 8941, section 4.1)."""
    if isinstance(value, InnerList):
        inner = " ".join(serialise(item) for item in value.items)
        return f"({inner}){_serialise_parameters(value.parameters)}"
    return _serialise_bare(value.value) + _serialise_parameters(value.parameters)


def _serialise_parameters(parameters: Parameters) -> str:
    parts = (f";{key}" if value is True else f";{key}={_serialise_bare(value)}" for key, value in parameters)
    return "".join(parts)


def _serialise_bare(value: BareItem) -> str:
    match value:
        case bool():
            return "?1" if value else "?0"
        case int() | Token():
            return str(value)
        case bytes():
            return f":{b64encode(value).decode()}:"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
