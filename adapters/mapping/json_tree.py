"""The two directions of JSON: a filled plan as an object, and a document seen as places."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from adapters.mapping.values import ValueUnfitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.mapping.filling import Filled


def object_of(parts: Iterable[Filled]) -> dict[str, object]:
    """The object that holds these; raises ValueUnfitError for a text that is no value of its place's kind."""
    made: dict[str, object] = {}
    for part in parts:
        name, value = part.declared.name, _value(part)
        if not part.declared.many:
            made[name] = value
            continue
        items = made.setdefault(name, [])
        if isinstance(items, list):
            items.append(value)
    return made


def _value(filled: Filled) -> object:
    if filled.nil:
        return None
    return object_of(filled.parts) if filled.text is None else _scalar(filled.declared.kind, filled.text)


def _scalar(kind: str, text: str) -> object:
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                number = float(text)
                if Decimal(repr(number)) != Decimal(text):
                    raise ValueUnfitError  # more digits than a JSON number carries
                return number
            case "boolean":
                return {"true": True, "false": False}[text]
            case _:
                return text
    except (ArithmeticError, ValueError, KeyError):
        raise ValueUnfitError from None


class JsonView:
    """reading.View of parsed JSON."""

    def find(self, node: object, way: tuple[str, ...]) -> list[object]:
        """Every value at the end of this way, the items of an array each; null stands for itself."""
        found = [node]
        for name in way:
            below = [one[name] for one in found if isinstance(one, dict) and name in one]
            found = [item for one in below for item in (one if isinstance(one, list) else [one])]
        return found

    def null(self, node: object) -> bool:
        """Whether it is null."""
        return node is None

    def text(self, node: object) -> str | None:
        """A scalar's text; raises ValueUnfitError for an object."""
        match node:
            case None:
                return None
            case bool():
                return "true" if node else "false"
            case str() | int():
                return str(node)
            case float():
                return format(Decimal(repr(node)), "f")
            case _:
                raise ValueUnfitError
