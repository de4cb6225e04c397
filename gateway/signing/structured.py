"""Structured fields (RFC 8941), strictly: what HTTP signatures need of them, parsed and serialised.

Duplicate keys, trailing text and base64 that is not its own re-encoding are errors here, where the RFC is lenient.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from functools import lru_cache
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


_BARE_ITEM = (
    r'"(?P<string>(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"'
    r"|(?P<integer>-?[0-9]{1,15})(?![0-9.])"
    r"|:(?P<bytes>[A-Za-z0-9+/]*={0,2}):"
    r"|\?(?P<boolean>[01])"
    r"|(?P<token>[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*)"
)
_BARE = re.compile(_BARE_ITEM)
_KEY_NAME = r"(?P<key>[a-z*][a-z0-9_\-.*]{0,63})"
_KEY = re.compile(rf"{_KEY_NAME}(?P<value>=)?")
_PARAMETER = re.compile(rf";\x20*{_KEY_NAME}(?:=(?:{_BARE_ITEM}))?")
_COMMA = re.compile(r"[ \t]*,[ \t]*(?=.)")
_PLAIN_ITEM = r'"[a-z0-9@-]*"(?:;req|;key="[A-Za-z0-9_-]*")*'
_PLAIN_LIST = re.compile(rf"\((?:\x20*{_PLAIN_ITEM})*\x20*\)")
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 8192


def parse_dictionary(text: str) -> dict[str, Item | InnerList]:
    """The members of a dictionary field; raises MalformedFieldError, also for a repeated key."""
    if len(text) > _LONGEST or not text.isascii():
        raise MalformedFieldError("too long, or not ASCII")
    text = text.strip(" ")
    members: dict[str, Item | InnerList] = {}
    at = 0
    while at < len(text):
        if members:
            at = _after(_COMMA, text, at)
        key = _KEY.match(text, at)
        if key is None or key["key"] in members:
            raise MalformedFieldError("a key is missing or repeated")
        members[key["key"]], at = _member(text, key.end()) if key["value"] else _flag(text, key.end())
    return members


def is_key(text: str) -> bool:
    """Whether this is a key of a dictionary."""
    match = _KEY.fullmatch(text)
    return match is not None and not match["value"]


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise MalformedFieldError("something is missing between two members")
    return match.end()


def _flag(text: str, at: int) -> tuple[Item, int]:
    parameters, at = _parameters(text, at)
    return Item(value=True, parameters=parameters), at


def _member(text: str, at: int) -> tuple[Item | InnerList, int]:
    if not text.startswith("(", at):
        return _item(text, at)
    plain = _PLAIN_LIST.match(text, at)
    items, at = (_plain_items(plain[0]), plain.end()) if plain else _items(text, at)
    parameters, at = _parameters(text, at)
    return InnerList(items, parameters), at


def _items(text: str, at: int) -> tuple[tuple[Item, ...], int]:
    items: list[Item] = []
    at = _spaces(text, at + 1)
    while not text.startswith(")", at):
        item, end = _item(text, at)
        items.append(item)
        at = _spaces(text, end)
        if at == end and not text.startswith(")", at):
            raise MalformedFieldError("an inner list does not end")
    return tuple(items), at + 1


@lru_cache(maxsize=256)
def _plain_items(text: str) -> tuple[Item, ...]:
    """The covered components of one client are the same in each of its requests: parsed once."""
    return _items(text, 0)[0]


@lru_cache(maxsize=256)
def _plain_names(text: str) -> tuple[str, ...] | None:
    """The items of such a list, each in its one form; None where the list itself is not in its one form."""
    items = _plain_items(text)
    return tuple([serialise(item) for item in items]) if _serialise_items(items) == text else None


@lru_cache(maxsize=8)
def read_inner_list(text: str) -> tuple[InnerList, tuple[str, ...]]:
    """An inner list in its one form, and its items, each as serialised; raises MalformedFieldError.

    The newest are kept: evidence has the same one twice, behind its name and at the end of its base.
    """
    if len(text) > _LONGEST or not text.isascii() or not text.startswith("("):
        raise MalformedFieldError("too long, not ASCII, or no inner list")
    plain = _PLAIN_LIST.match(text)
    if plain:
        items, names, start, at = _plain_items(plain[0]), _plain_names(plain[0]), plain[0], plain.end()
    else:
        items, at = _items(text, 0)
        names, start = tuple([serialise(item) for item in items]), _serialise_items(items)
    parameters, at = _parameters(text, at)
    if at != len(text) or names is None or start + _serialise_parameters(parameters) != text:
        raise MalformedFieldError("an inner list that is not in its one form")
    return InnerList(items, parameters), names


def _spaces(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at


def _item(text: str, at: int) -> tuple[Item, int]:
    value, at = _bare(text, at)
    if not text.startswith(";", at):
        return Item(value), at
    parameters, at = _parameters(text, at)
    return Item(value, parameters), at


def _parameters(text: str, at: int) -> tuple[Parameters, int]:
    found: dict[str, BareItem] = {}
    while text.startswith(";", at):
        match = _PARAMETER.match(text, at)
        if match is None or match["key"] in found:
            raise MalformedFieldError("a parameter is missing or repeated")
        at = match.end()
        if text.startswith("=", at):
            raise MalformedFieldError("a parameter has no value behind its sign")
        found[match["key"]] = True if match.lastgroup == "key" else _value(match)
    return tuple(found.items()), at


def _bare(text: str, at: int) -> tuple[BareItem, int]:
    match = _BARE.match(text, at)
    if match is None:
        raise MalformedFieldError("an item is malformed")
    return _value(match), match.end()


def _value(match: re.Match[str]) -> BareItem:
    """The bare item that was matched last."""
    found = match[match.lastgroup or 0]
    match match.lastgroup:
        case "string":
            return _ESCAPED.sub(r"\1", found) if "\\" in found else found
        case "integer":
            return int(found)
        case "bytes":
            return decode_base64(found)
        case "boolean":
            return found == "1"
        case _:
            return Token(found)


def decode_base64(text: str) -> bytes:
    """Standard base64 with padding; raises MalformedFieldError unless it is the one encoding of its bytes."""
    try:
        value = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedFieldError("base64 is malformed") from None
    if b2a_base64(value, newline=False).decode() != text:
        raise MalformedFieldError("base64 is not canonical")
    return value


def serialise(value: Item | InnerList) -> str:
    """The one serialisation of a member (RFC 8941, section 4.1)."""
    if isinstance(value, InnerList):
        return _serialise_items(value.items) + _serialise_parameters(value.parameters)
    return _serialise_bare(value.value) + _serialise_parameters(value.parameters)


def _serialise_items(items: tuple[Item, ...]) -> str:
    return f"({' '.join([_serialise_bare(item.value) + _serialise_parameters(item.parameters) for item in items])})"


def _serialise_parameters(parameters: Parameters) -> str:
    if not parameters:
        return ""
    return "".join([f";{key}" if value is True else f";{key}={_serialise_bare(value)}" for key, value in parameters])


def _serialise_bare(value: BareItem) -> str:
    match value:
        case Token():
            return str(value)
        case str():
            if "\\" in value or '"' in value:
                value = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{value}"'
        case bool():
            return "?1" if value else "?0"
        case int():
            return str(value)
        case bytes():
            return f":{b2a_base64(value, newline=False).decode()}:"
