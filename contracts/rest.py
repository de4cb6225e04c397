"""The target of a REST call: which fields stand in it, and how it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.declaration import Operation

_IN_PATH: Final = re.compile(r"\{([^}]*)\}")


def fields_in_path(operation: Operation) -> tuple[str, ...]:
    """The names of the fields that stand in the path, in order."""
    return tuple(_IN_PATH.findall(operation.rest.path))


def fields_in_target(operation: Operation) -> tuple[str, ...]:
    """The names of the fields that stand in path or query, and so not in the body."""
    return fields_in_path(operation) + operation.rest.query


def path_pattern(path: str) -> re.Pattern[str]:
    """The raw paths that a contract's path stands for: each field is something within its segment."""
    # what the fields' braces hold stands at every second place
    parts = _IN_PATH.split(path)[::2]
    return re.compile("[^/]+".join(map(re.escape, parts)))


def rest_target(operation: Operation, fields: Mapping[str, Any]) -> str:
    """Path and query as on the request line: every character but the unreserved ones percent-encoded (P3)."""
    path = _IN_PATH.sub(lambda match: quote(_text(fields[match[1]]), safe=""), operation.rest.path)
    query = "&".join(f"{name}={quote(_text(fields[name]), safe='')}" for name in operation.rest.query if name in fields)
    return f"{path}?{query}" if query else path


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
