"""A message as its places with their texts, so that two messages can be held against each other, name by name."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lxml import etree

from gateway.signing.soap_names import XENC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Places = Mapping[str, tuple[str, ...]]

_ENCRYPTED = etree.QName(XENC, "EncryptedData")


@dataclass(frozen=True, slots=True)
class RestAsked:
    """A request by REST: its method, its raw target, its body (empty where it has none)."""

    method: str
    target: str = field(repr=False)
    body: bytes = field(repr=False)

    def below(self, other: RestAsked) -> RestAsked:
        """The same request as seen from the address below which ``other`` was made."""
        path, mark, query = self.target.partition("?")
        theirs = other.target.partition("?")[0]
        return replace(self, target=theirs + mark + query) if path.endswith(theirs) else self


def raw_target(uri: str) -> str:
    """Path and query of an https address as they are written, whatever stands before them."""
    return f"/{uri.partition('://')[2].partition('/')[2]}"


def places_of(message: etree._Element | RestAsked) -> Places:
    """The texts in each place of a message, by the place's name.

    Raises ValueError for a body that is no JSON, or that is nested beyond what anybody reads.
    """
    found: dict[str, list[str]] = {}
    places = _rest(message) if isinstance(message, RestAsked) else _xml(message, _step(message))
    try:
        for name, text in places:
            found.setdefault(name, []).append(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return {name: tuple(texts) for name, texts in found.items()}


def differing(got: Places, due: Places, due_again: Places) -> tuple[str, ...]:
    """The names of the places where what was got is not what was due.

    ``due_again`` is due as well, with another salt: where the two differ the salt stands, which is anybody's.
    """
    names = {name for name in got.keys() | due.keys() if got.get(name) != due.get(name)}
    salts = {name for name in due if due[name] != due_again.get(name)}
    free = {name for name in salts if len(got.get(name, ())) == len(due[name])}
    return tuple(sorted(names - free))


def hidden(places: Places) -> bool:
    """Whether something in the message is encrypted, so that its reader alone can say what it is (C5)."""
    return any(name.rpartition("/")[2].partition("[")[0] == _ENCRYPTED.localname for name in places)


def _xml(element: etree._Element, name: str) -> Iterator[tuple[str, str]]:
    if etree.QName(element) == _ENCRYPTED:
        yield name, ""
        return
    # what stands between elements is text too, unless it only indents them
    text = "".join([element.text or "", *(child.tail or "" for child in element)])
    yield name, f"{{{etree.QName(element).namespace}}}{text.strip() if len(element) else text}"
    for attribute, value in element.attrib.items():
        yield f"{name}/@{attribute!s}", str(value)
    before = Counter[str]()
    for child in element:
        step = _step(child)
        before[step] += 1
        # numbered: what stands in one item of a list stands in no other
        yield from _xml(child, f"{name}{step}" + (f"[{before[step]}]" if before[step] > 1 else ""))


def _step(element: etree._Element) -> str:
    return f"/{etree.QName(element).localname}"


def _rest(asked: RestAsked) -> Iterator[tuple[str, str]]:
    path, _, query = asked.target.partition("?")
    yield "method", asked.method
    # as they are written: two spellings of an address may be two addresses
    yield "path", path
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield f"?{name}", value
    if asked.body:
        yield from _json(json.loads(asked.body, object_pairs_hook=tuple), "")


def _json(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, tuple):
        yield name or "/", "{}"
        # a name that stands twice has two texts: one reader takes the first, another the last
        for key, inner in value:
            yield from _json(inner, f"{name}/{key}")
    elif isinstance(value, list):
        yield name or "/", "[]"
        for number, inner in enumerate(value, 1):
            yield from _json(inner, f"{name}[{number}]")
    else:
        yield name or "/", json.dumps(value)
