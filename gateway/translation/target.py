"""Where a REST request is addressed: the operation by its raw path, and the fields that stand in path and query.

Everything has one spelling (P3): a path needs no encoding, a value of the query has none but the one that it needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from contracts.errors import ContractError
from contracts.shape import Text
from gateway.errors import Code, Refusal
from gateway.translation.lexical import lexical, reader_of
from gateway.translation.xml_error import UNKNOWN, LexicalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.translation.lexical import Value
    from gateway.translation.operations import CompiledOperation

_PATH_FIELD = re.compile(r"\{([a-z0-9_]+)\}")
_PATH_FIELD_ESCAPED = re.compile(r"\\\{([a-z0-9_]+)\\\}")
_NOTHING: Mapping[str, Value] = {}


@dataclass(frozen=True, slots=True)
class Route:
    """An operation under its method and path.

    Attributes:
        takes_body: whether the fields that are in neither path nor query are in a body.
        in_path, in_query: read the fields that stand in each.
    """

    compiled: CompiledOperation
    takes_body: bool
    in_path: Mapping[str, Callable[[str], Value]]
    in_query: Mapping[str, Callable[[str], Value]]


class Routes:
    """The table of routes."""

    def __init__(self, operations: Iterable[CompiledOperation]) -> None:
        """Raises ContractError for a field in path or query that is no leaf."""
        self._by_path: dict[str, dict[str, Route]] = {}
        for compiled in operations:
            rest = compiled.operation.rest
            self._by_path.setdefault(rest.path, {})[rest.method] = _route(compiled)
        self._templates = [(_template(path), known) for path, known in self._by_path.items() if "{" in path]

    def find(self, method: str, target: str) -> tuple[Route, Mapping[str, Value]]:
        """The route of a raw target, and the fields that stand in it; raises Refusal."""
        # The raw target is matched whole: an encoded or dotted path is simply not an operation (P3).
        alone = self._by_path.get(target)
        if alone is not None and "{" not in target:
            return _of_method(alone, method), _NOTHING
        path, mark, query = target.partition("?")
        methods, in_path = self._below(path)
        route = _of_method(methods, method)
        if mark and not route.in_query:
            raise Refusal(Code.OPERATION_UNKNOWN)
        fields = {name: _value(name, route.in_path[name], text) for name, text in in_path.items()}
        if mark:
            _read_query(route, query, fields)
        return route, fields

    def _below(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]]:
        methods = self._by_path.get(path)
        if methods is not None and "{" not in path:
            return methods, {}
        for template, known in self._templates:
            if match := template.fullmatch(path):
                return known, match.groupdict()
        raise Refusal(Code.OPERATION_UNKNOWN)


def _of_method(methods: Mapping[str, Route], method: str) -> Route:
    route = methods.get(method)
    if route is None:
        raise Refusal(Code.METHOD_NOT_ALLOWED)
    return route


def _read_query(route: Route, query: str, fields: dict[str, Value]) -> None:
    for pair in query.split("&"):
        name, equals, raw = pair.partition("=")
        read = route.in_query.get(name)
        if read is None:
            raise Refusal(Code.FIELD_INVALID, component=UNKNOWN)
        if not equals or name in fields:
            raise Refusal(Code.FIELD_INVALID, component=name)
        text = unquote(raw, errors="replace")
        if quote(text, safe="") != raw:
            raise Refusal(Code.FIELD_INVALID, component=name)
        fields[name] = _value(name, read, text)


def _value(name: str, read: Callable[[str], Value], text: str) -> Value:
    try:
        value = read(text)
        if lexical(value) == text:
            return value
    except LexicalError:
        pass
    raise Refusal(Code.FIELD_INVALID, component=name)


def _route(compiled: CompiledOperation) -> Route:
    rest = compiled.operation.rest
    leaves = {member.name: member.shape for member in compiled.request.shape.members}

    def readers(names: Iterable[str]) -> Mapping[str, Callable[[str], Value]]:
        found: dict[str, Callable[[str], Value]] = {}
        for name in names:
            leaf = leaves.get(name)
            if not isinstance(leaf, Text):
                raise ContractError(f"{compiled.ref.name}: {name} is no single value, which a path or a query needs")
            found[name] = reader_of(leaf)
        return found

    return Route(compiled, rest.method != "GET", readers(_PATH_FIELD.findall(rest.path)), readers(rest.query))


def _template(path: str) -> re.Pattern[str]:
    # Only what needs no encoding, so that a path has one spelling (P3).
    return re.compile(_PATH_FIELD_ESCAPED.sub(r"(?P<\1>[A-Za-z0-9._-]{1,64})", re.escape(path)))
