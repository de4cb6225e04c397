"""What a field is in Python: its type as an argument and in an answer, and how it is read from JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.names import pascal_case
from contracts.shape import Fields, Many, Text

if TYPE_CHECKING:
    from contracts.leaves import Kind
    from contracts.shape import Member, Shape

_TYPES: Final[dict[Kind, str]] = {
    "string": "str", "date": "date", "date-time": "datetime", "decimal": "Decimal", "integer": "int",
    "boolean": "bool", "base64": "bytes",
}  # fmt: skip
_READERS: Final[dict[Kind, str]] = {
    "date": "date_of", "date-time": "moment_of", "decimal": "decimal_of", "base64": "bytes_of",
}  # fmt: skip


def type_of(member: Member, operation: str, *, answered: bool) -> str:
    """A member's type, without None; lists are tuples where they are answered, any sequence where they are asked."""
    return _typed(member.shape, member.name, operation, "tuple[{}, ...]" if answered else "Sequence[{}]")


def argument(member: Member, operation: str) -> str:
    """A member as a keyword argument: its type, and its default where it may be left out."""
    said = type_of(member, operation, answered=False)
    optional = member.nullable or not member.required
    return f"{said}{' | None' if optional else ''}{'' if member.required else ' = None'}"


def converted(member: Member, operation: str) -> str:
    """The expression that reads a member out of ``fields``."""
    value = f'fields.get("{member.name}")'
    reader = _reader(member.shape, member.name, operation)
    if isinstance(member.shape, Fields):
        return f'{reader}(fields["{member.name}"]) if {value} is not None else None'
    return _applied(reader, value)


def _typed(shape: Shape, name: str, operation: str, many: str) -> str:
    if isinstance(shape, Many):
        return many.format(_typed(shape.item, shape.item_name, operation, many))
    if isinstance(shape, Fields):
        return f"{operation}{pascal_case(name)}"
    if shape.enum:
        return f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in shape.enum)}]"
    return _TYPES[shape.kind]


def _reader(shape: Shape, name: str, operation: str) -> str | None:
    """What reads a value of this shape; None where it is what it is."""
    if isinstance(shape, Many):
        inner = _reader(shape.item, shape.item_name, operation)
        return "tuple_of" if inner is None else f"each({inner})"
    if isinstance(shape, Text):
        return _READERS.get(shape.kind)
    return f"{operation}{pascal_case(name)}.of"


def _applied(reader: str | None, value: str) -> str:
    return value if reader is None else f"{reader}({value})"
