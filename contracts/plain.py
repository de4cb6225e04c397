"""A contract's schemas as others read them: JSON Schema 2020-12 alone, each leaf in the one form that both forms have.

Our own words (sensitivity, description by language, xml, example) are taken out, and what the shape means beyond JSON
Schema is said in it, so that a message is judged alike whichever form it came in (C3, C7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.leaves import INTEGER_MAX, LEXICAL, text_of
from contracts.patterns import portable_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OURS = {"sensitivity", "description", "xml", "example"}


def judging_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a message's validator compiles; formats are to be asserted.

    A salt is any text here: what is wrong with it has an error of its own.
    """
    return _plain(schema, lambda _: {})


def published_schema(
    schema: Mapping[str, Any], words: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> dict[str, Any]:
    """The schema as OpenAPI shows it; ``words`` gives what is to be said beside each node (description, example)."""
    return _plain(schema, words)


def _plain(schema: Mapping[str, Any], words: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> dict[str, Any]:
    plain = {word: value for word, value in schema.items() if word not in _OURS}
    if "properties" in plain:
        plain["properties"] = {name: _plain(field, words) for name, field in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain(plain["items"], words)
    said = plain["type"]
    type_name = said[0] if isinstance(said, list) else said
    if type_name == "integer":
        plain = {"minimum": -INTEGER_MAX, "maximum": INTEGER_MAX} | plain
    elif type_name == "string":
        plain |= _lexical(schema)
    return plain | dict(words(schema))


def _lexical(schema: Mapping[str, Any]) -> dict[str, Any]:
    text = text_of("string", schema, "")
    if text.enum or schema.get("sensitivity") == "salt":
        return {}
    if text.pattern is None:
        return {"pattern": LEXICAL[text.kind]}
    portable = {"pattern": portable_pattern(text.pattern)}
    # A pattern that lists its characters, in ASCII, lets no other in; the rest could let in what XML cannot hold.
    listed = text.pattern.isascii() and not any(part in text.pattern for part in ("[^", r"\p", r"\P"))
    return portable if listed else portable | {"allOf": [{"pattern": LEXICAL["string"]}]}
