"""A canonical message put into another system's request: planned when the mapping loads, filled for each message."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.mapping.values import ValueUnfitError, writer
from contracts.errors import ContractError
from contracts.shape import Fields, Many, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from adapters.mapping.declaration import Source
    from adapters.mapping.declared import Declared
    from contracts.shape import Shape

    Value = Callable[[object, bytes | None], str | None]


@dataclass(frozen=True, slots=True)
class Filled:
    """A place with what stands in it: a text, nil, or further places."""

    declared: Declared
    text: str | None = None
    nil: bool = False
    parts: tuple[Filled, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to stand in a place: a value, further places, and for a list the way to its items."""

    declared: Declared
    value: Value | None = None
    parts: tuple[Plan, ...] = ()
    items: Callable[[object], Iterable[object]] | None = None

    def fill(self, scope: object, salt: bytes | None) -> tuple[Filled, ...]:
        """The place as often as it occurs; raises ValueUnfitError for what their document does not take."""
        if self.items is not None:
            return tuple(one for item in self.items(scope) for one in self._once(item, salt))
        return self._once(scope, salt)

    def _once(self, scope: object, salt: bytes | None) -> tuple[Filled, ...]:
        parts = tuple(one for part in self.parts for one in part.fill(scope, salt))
        text = None if self.value is None else self.value(scope, salt)
        if text is not None or parts or (self.declared.required and self.value is None):
            return (Filled(self.declared, text, parts=parts),)
        if self.declared.nullable and self.declared.required:
            return (Filled(self.declared, nil=True),)
        if self.declared.required:
            raise ValueUnfitError
        return ()


class Planner:
    """Plans one message of theirs; ``segments`` reads a path, ``shape`` is the canonical message's."""

    def __init__(self, segments: Callable[[str], tuple[str, ...]]) -> None:
        self._segments = segments

    def plan(self, place: Declared, sources: Mapping[str, Source], shape: Shape) -> Plan:
        """The plan of a place and all below it; raises ContractError, its path from the mapping of the place."""
        wanted: dict[tuple[str, ...], tuple[str, Source]] = {}
        for path, source in sources.items():
            try:
                segments = self._segments(path)
                place.way(segments)
            except ContractError as error:
                raise error.below(path) from None
            wanted[segments] = path, source
        return self._plan(place, wanted, shape)

    def _plan(self, place: Declared, wanted: Mapping[tuple[str, ...], tuple[str, Source]], shape: Shape) -> Plan:
        own = wanted.get(())
        below = {segments: source for segments, source in wanted.items() if segments}
        if own is not None and own[1].each is not None:
            return self._each(place, own, shape, has_more=bool(below))
        value = None if own is None else _value_at(own, place, shape)
        parts = []
        for child in place.children:
            inside = {segments[1:]: source for segments, source in below.items() if segments[0] == child.name}
            if inside:
                repeated = child.many and not (() in inside and inside[()][1].each is not None)
                if repeated:
                    raise ContractError(f"{child.name} may occur often; say each and items", (_first_path(inside),))
                parts.append(self._plan(child, inside, shape))
            elif child.required:
                parts.append(self._unmapped(child, shape))
        self._check_choices(place, parts)
        return Plan(place, value, tuple(parts))

    def _unmapped(self, place: Declared, shape: Shape) -> Plan:
        if place.leaf and not place.nullable:
            raise ContractError(f"{place.name} must stand in their message, and nothing is mapped to it; map it")
        return self._plan(place, {}, shape) if not place.leaf else Plan(place, _nothing)

    def _each(self, place: Declared, own: tuple[str, Source], shape: Shape, *, has_more: bool) -> Plan:
        path, source = own
        if has_more or not place.many:
            text = f"{place.name} does not repeat, or is mapped twice; say each where theirs repeats"
            raise ContractError(text, (path,))
        try:
            names, item = _list(source.each or "", shape)
            one = self.plan(place, source.items, item)
        except ContractError as error:
            raise error.below(path, "items") from None
        return Plan(place, one.value, one.parts, lambda scope: _items(_got(scope, names)))

    def _check_choices(self, place: Declared, parts: list[Plan]) -> None:
        taken: dict[int, set[int]] = {}
        for part in parts:
            if part.declared.choice is not None:
                group, branch = part.declared.choice
                taken.setdefault(group, set()).add(branch)
        if any(len(branches) > 1 for branches in taken.values()):
            raise ContractError(f"{place.name}: two places are mapped of which only one may be there; map one")
        if place.needed - taken.keys():
            raise ContractError(f"{place.name}: one of several places must be there; map one of them")


def _list(path: str, shape: Shape) -> tuple[tuple[str, ...], Shape]:
    """The names that lead to a canonical list, and its items' shape."""
    names, found, _ = _reach(shape, path)
    if not isinstance(found, Many):
        raise ContractError(f"{path} is no list of the contract")
    return names, found.item


def _first_path(inside: Mapping[tuple[str, ...], tuple[str, Source]]) -> str:
    """The path by which the mapping named the first of these."""
    return next(iter(inside.values()))[0]


def _value_at(own: tuple[str, Source], place: Declared, shape: Shape) -> Value:
    path, source = own
    try:
        return _value(place, source, shape)
    except ContractError as error:
        raise error.below(path) from None


def _value(place: Declared, source: Source, shape: Shape) -> Value:
    if not place.leaf:
        raise ContractError(f"{place.name} holds further places and no value; map those")
    if source.constant is not None:
        constant = source.constant
        return lambda _scope, _salt: constant
    if source.salt is not None:
        return _salt_in_hex if source.salt == "hex" else _salt_in_base64
    names, found, certain = _reach(shape, source.field or "")
    if not isinstance(found, Text):
        raise ContractError(f"{source.field} is no single value of the contract", ("field",))
    if place.required and not (certain or place.nullable or source.default is not None):
        raise ContractError(f"{place.name} must be there, and {source.field} may be absent; give a default")
    all_values = ("false", "true") if found.kind == "boolean" else found.enum
    if source.values and (missing := sorted(set(all_values) - source.values.keys())):
        raise ContractError(f"no value for {missing[0]} of {source.field}; add it", ("values",))
    if source.format is not None and found.kind not in {"date", "date-time"}:
        raise ContractError(f"{source.field} is neither date nor time; leave format out", ("format",))
    write = writer(source.values, source.format, found.kind)
    default = source.default

    def value(scope: object, _salt: bytes | None) -> str | None:
        given = _got(scope, names)
        return default if given is None else write(given)

    return value


def _reach(shape: Shape, path: str) -> tuple[tuple[str, ...], Shape, bool]:
    """The names on a canonical path, what stands there, and whether it always does."""
    if path == ".":
        return (), shape, True
    names, certain = tuple(path.split("/")), True
    for name in names:
        members = {member.name: member for member in shape.members} if isinstance(shape, Fields) else {}
        if name not in members:
            raise ContractError(f"the contract has no field {path}; it has: {', '.join(members) or 'none there'}")
        certain = certain and members[name].required and not members[name].nullable
        shape = members[name].shape
    return names, shape, certain


def _got(scope: object, names: tuple[str, ...]) -> object:
    for name in names:
        if not isinstance(scope, dict):
            return None
        scope = scope.get(name)
    return scope


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _nothing(_scope: object, _salt: bytes | None) -> None:
    return None


def _salt_in_base64(_scope: object, salt: bytes | None) -> str:
    return b64encode(salt or b"").decode()


def _salt_in_hex(_scope: object, salt: bytes | None) -> str:
    return (salt or b"").hex()
