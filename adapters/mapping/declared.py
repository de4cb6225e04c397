"""What another system's document declares of a message, whatever its language: a tree of named places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from contracts.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How a leaf is written in JSON; in XML everything is text.
LeafKind = Literal["text", "integer", "number", "boolean"]
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Declared:
    """One place.

    Attributes:
        name: a Clark name, ``@`` and a Clark name, or a JSON name.
        required: there in each message where its parent is.
        many: may occur more than once.
        nullable: may be null, or nil.
        leaf: holds a value.
        kind: of that value.
        children: in the order in which they stand; XML attributes first.
        choice: (group, branch) where it is one of several that exclude each other.
        needed: the groups of its children of which one must be there.
    """

    name: str
    required: bool
    many: bool = False
    nullable: bool = False
    leaf: bool = False
    kind: LeafKind = "text"
    children: tuple[Declared, ...] = ()
    choice: tuple[int, int] | None = None
    needed: frozenset[int] = frozenset()

    def child(self, name: str) -> Declared:
        """The child of this name; raises ContractError, which says what there is."""
        for one in self.children:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.children[:_SHOWN]) or "nothing"
        raise ContractError(f"{name} does not stand in {self.name or 'their message'}, which has: {known}")

    def way(self, segments: tuple[str, ...]) -> tuple[Declared, ...]:
        """Every place on the way to the last of these; raises ContractError."""
        found: list[Declared] = []
        at = self
        for segment in segments:
            at = at.child(segment)
            found.append(at)
        return tuple(found)


def segments_of(path: str, prefixes: Mapping[str, str]) -> tuple[str, ...]:
    """The names on a path of the mapping: ``a/b/@c``, each with a prefix where its name has a namespace; ``.`` is none.

    Raises ContractError.
    """
    return () if path == "." else tuple(_name(segment, prefixes) for segment in path.split("/"))


def _name(segment: str, prefixes: Mapping[str, str]) -> str:
    mark, rest = ("@", segment[1:]) if segment.startswith("@") else ("", segment)
    prefix, colon, local = rest.rpartition(":")
    if not local:
        raise ContractError(f"{segment!r} is no name; a path is written a/b/@c")
    if not colon:
        return mark + local
    if prefix not in prefixes:
        raise ContractError(f"the prefix {prefix} is not declared; add it under prefixes")
    return f"{mark}{{{prefixes[prefix]}}}{local}"
