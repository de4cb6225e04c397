"""A message as its places with their texts, so that two messages can be held against each other, name by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Places = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RestAsked:
    """A request by REST: its method, its raw target, its body (empty where it has none)."""

    method: str
    target: str = field(repr=False)
    body: bytes = field(repr=False)

    def below(self, other: RestAsked) -> RestAsked:
        """The same request as seen from the address below which ``other`` was made."""
        mine, theirs = urlsplit(self.target), urlsplit(other.target)
        if not mine.path.endswith(theirs.path):
            return self
        return replace(self, target=theirs.path + (f"?{mine.query}" if mine.query else ""))


def places_of(message: etree._Element | RestAsked) -> Places:
    """The texts in each place of a message, by the place's name; raises ValueError for a body that is no JSON."""
    found: dict[str, list[str]] = {}
    for name, text in _rest(message) if isinstance(message, RestAsked) else _xml(message, ""):
        found.setdefault(name, []).append(text)
    return {name: tuple(texts) for name, texts in found.items()}


def differing(got: Places, due: Places, due_again: Places) -> tuple[str, ...]:
    """The names of the places where what was got is not what was due.

    ``due_again`` is due as well, with another salt: where the two differ the salt stands, which is anybody's.
    """
    names = {name for name in got.keys() | due.keys() if got.get(name) != due.get(name)}
    salts = {name for name in due if due[name] != due_again.get(name)}
    free = {name for name in salts if len(got.get(name, ())) == len(due[name])}
    return tuple(sorted(names - free))


def _xml(element: etree._Element, above: str) -> Iterator[tuple[str, str]]:
    name = f"{above}/{etree.QName(element).localname}"
    yield name, "" if len(element) else element.text or ""
    for attribute, value in element.attrib.items():
        yield f"{name}/@{etree.QName(str(attribute)).localname}", str(value)
    for child in element:
        yield from _xml(child, name)


def _rest(asked: RestAsked) -> Iterator[tuple[str, str]]:
    target = urlsplit(asked.target)
    yield "method", asked.method
    yield "path", unquote(target.path)
    for name, value in parse_qsl(target.query, keep_blank_values=True):
        yield f"?{name}", value
    if asked.body:
        yield from _json(json.loads(asked.body), "")


def _json(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield name or "/", "{}"
        for key, inner in value.items():
            yield from _json(inner, f"{name}/{key}")
    elif isinstance(value, list):
        yield name or "/", "[]"
        for inner in value:
            yield from _json(inner, f"{name}[]")
    else:
        yield name or "/", json.dumps(value)
