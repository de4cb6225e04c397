"""Another system's answer as canonical fields: planned when the mapping loads, read from each verified answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from adapters.mapping.values import ValueUnfitError, reader
from contracts.errors import ContractError
from contracts.shape import Fields, Many, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.mapping.declaration import Target
    from adapters.mapping.declared import Declared
    from contracts.shape import Member, Shape


class View(Protocol):
    """How a tree of theirs is walked."""

    def find(self, node: object, way: tuple[str, ...]) -> list[object]:
        """Every node at the end of this way below a node, in their order."""
        ...

    def text(self, node: object) -> str | None:
        """A node's value as text; None where it is null or nil."""
        ...

    def null(self, node: object) -> bool:
        """Whether a node is null or nil, be it a value or hold further places."""
        ...


class _Absent:
    """Stands for a canonical field that the answer does not have."""


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """Reads canonical fields out of their answer's root."""

    fields: tuple[tuple[str, Callable[[object], object]], ...]

    def read(self, root: object) -> dict[str, object]:
        """The fields; raises ValueUnfitError for an answer that has no canonical form."""
        read = ((name, one(root)) for name, one in self.fields)
        return {name: value for name, value in read if value is not _ABSENT}


class AnswerPlanner:
    """Plans the reading of one answer of theirs, seen through a view."""

    def __init__(self, view: View, segments: Callable[[str], tuple[str, ...]]) -> None:
        self._view = view
        self._segments = segments

    def plan(
        self, place: Declared, targets: Mapping[str, Target], shape: Fields, left_out: frozenset[str] = frozenset()
    ) -> AnswerPlan:
        """The plan of an object's fields, seen from a place of theirs.

        ``left_out`` are fields that others add (salt, handle). Raises ContractError, its path from these targets.
        """
        members = {member.name: member for member in shape.members if member.name not in left_out}
        if unknown := [name for name in targets if name not in members]:
            raise ContractError(f"the contract's answer has no field {unknown[0]}; remove it", (unknown[0],))
        chosen = {name for group in shape.choices for name in group}
        for name, member in members.items():
            if name not in targets and member.required and name not in chosen:
                raise ContractError(f"the contract's answer must have {name}, and nothing is mapped to it; map it")
        made = []
        for name, target in targets.items():
            try:
                made.append((name, self._field(place, target, members[name])))
            except ContractError as error:
                raise error.below(name) from None
        return AnswerPlan(tuple(made))

    def _field(self, place: Declared, target: Target, member: Member) -> Callable[[object], object]:
        if isinstance(member.shape, Many):
            return self._many(place, target, member.shape)
        if target.each is not None:
            raise ContractError(f"{member.name} is no list of the contract", ("each",))
        if isinstance(member.shape, Fields):
            return self._object(place, target, member, member.shape)
        if target.fields is not None:
            raise ContractError(f"{member.name} is one value of the contract, and no object", ("fields",))
        return self._leaf(place, target, member, member.shape)

    def _many(self, place: Declared, target: Target, shape: Many) -> Callable[[object], object]:
        if target.each is None:
            raise ContractError("this is a list of the contract; say each")
        way = self._segments(target.each)
        item_place = single(place, way[:-1], "each").child(way[-1])
        one = self._item(item_place, target, shape.item)
        view = self._view
        return lambda node: [one(item) for item in view.find(node, way)]

    def _item(self, place: Declared, target: Target, shape: Shape) -> Callable[[object], object]:
        if isinstance(shape, Fields):
            if target.fields is None:
                raise ContractError("each item of the contract's list is an object; say its fields")
            return self._present(self._fields(place, target.fields, shape))
        if not isinstance(shape, Text) or not place.leaf:
            raise ContractError("a list of lists, or of more than values, cannot be mapped")
        taken, view = reader(target.values, target.format, shape), self._view

        def read(node: object) -> object:
            if (text := view.text(node)) is None:
                raise ValueUnfitError
            return taken(text)

        return read

    def _present(self, read: Callable[[object], dict[str, object]]) -> Callable[[object], dict[str, object]]:
        """The same of an item that is there: a null one is no object without fields."""
        view = self._view

        def present(node: object) -> dict[str, object]:
            if view.null(node):
                raise ValueUnfitError
            return read(node)

        return present

    def _object(self, place: Declared, target: Target, member: Member, shape: Fields) -> Callable[[object], object]:
        way = () if target.at is None else self._segments(target.at)
        inner = self._fields(single(place, way, "at"), target.fields or {}, shape)
        view, required, nullable = self._view, member.required, member.nullable

        def read(node: object) -> object:
            found = view.find(node, way)
            if found and not view.null(found[0]):
                return inner(found[0])
            if nullable and (found or required):
                return None
            if required:
                raise ValueUnfitError
            return _ABSENT

        return read

    def _fields(
        self, place: Declared, targets: Mapping[str, Target], shape: Fields
    ) -> Callable[[object], dict[str, object]]:
        try:
            return self.plan(place, targets, shape).read
        except ContractError as error:
            raise error.below("fields") from None

    def _leaf(self, place: Declared, target: Target, member: Member, shape: Text) -> Callable[[object], object]:
        taken = reader(target.values, target.format, shape)
        plain = reader({}, None, shape)
        if target.values and shape.enum and (unknown := sorted(set(target.values.values()) - set(shape.enum))):
            raise ContractError(f"the contract has no value {unknown[0]} here", ("values",))
        for text in target.values.values():
            try:
                _of_contract(plain, text)
            except ContractError as error:
                raise error.below("values") from None
        if target.format is not None and shape.kind not in {"date", "date-time"}:
            raise ContractError(f"{member.name} is neither date nor time; leave format out", ("format",))
        given = target.constant if target.constant is not None else target.default
        default: object = _ABSENT if given is None else _of_contract(plain, given)
        if target.constant is not None:
            return lambda _node: default
        way = self._segments(target.at or "")
        if not single(place, way, "at").leaf:
            raise ContractError(f"{target.at} holds further places and no value", ("at",))
        certain = all(one.required for one in place.way(way))
        if member.required and not certain and given is None and not member.nullable:
            raise ContractError(f"{target.at} may be absent, and the contract needs {member.name}; give a default")
        nothing: object = None if member.nullable else default
        view, missing = self._view, None if member.required and member.nullable and given is None else default

        def read(node: object) -> object:
            found = view.find(node, way)
            if not found:
                return missing
            text = view.text(found[0])
            return nothing if text is None else taken(text)

        return read


def single(place: Declared, way: tuple[str, ...], word: str) -> Declared:
    """The place at the end of a way on which nothing repeats."""
    try:
        found = place.way(way)
    except ContractError as error:
        raise error.below(word) from None
    if any(one.many for one in found):
        raise ContractError("something on this way may occur often; say each", (word,))
    return found[-1] if found else place


def _of_contract(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except ValueUnfitError:
        raise ContractError(f"{text!r} is no value of this field") from None
