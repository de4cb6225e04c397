"""What a contract calls the fields by which a party is told, in its own words: those of a list or object with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.declaration import Operation

#: A description begins with what people call its field; what follows is for those who build on it.
_FIRST = re.compile(r"[.;:](?=\s|$)")


_AGAIN = {"_fr", "_en"}


def told_fields(operation: Operation) -> Mapping[str, Any]:
    """The schema of each field by which somebody is told: of the answer, or of a notice that we send."""
    schema = operation.request if operation.outgoing else operation.response
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties


def parts_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schemas of what an object, or each item of a list, is made of; empty of anything else."""
    properties: Mapping[str, Any] = schema.get("items", schema).get("properties", {})
    return properties


def brief(schema: Mapping[str, Any], name: str, language: str) -> str:
    """A description up to its first full stop, semicolon or colon; the name where it says nothing."""
    return _FIRST.split(schema["description"][language].strip(), maxsplit=1)[0].strip() or name


def in_words(schema: Mapping[str, Any], name: str, language: str) -> str:
    """The same; of a list or object also what it is made of, each once: ``Who registered (family name; telephone)``."""
    said = brief(schema, name, language)
    of = parts_of(schema)
    # what says another part again, in French or English, is not told twice
    own = {part: one for part, one in of.items() if not (part[-3:] in _AGAIN and part[:-3] in of)}
    parts = dict.fromkeys(_inside(brief(one, part, language)) for part, one in own.items())
    return f"{said} ({'; '.join(parts)})" if parts else said


def _inside(words: str) -> str:
    """As it stands within a sentence; an abbreviation keeps its capitals."""
    abbreviated = words[:2].isalpha() and words[:2].isupper()
    return words if abbreviated else words[:1].lower() + words[1:]
