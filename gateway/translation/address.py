"""Where a request of ours goes: an operation's path and query with its fields in them, in their one spelling (P3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.translation.lexical import lexical

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PATH_FIELD = re.compile(r"\{([a-zA-Z0-9_.-]+)\}")


def address(path: str, query: Collection[str], fields: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The raw target, and the fields that do not stand in it; an absent or null field of the query is left out.

    Raises LexicalError for a value that is no single one, KeyError for a path's field that is missing.
    """
    named = _PATH_FIELD.findall(path)
    target = _PATH_FIELD.sub(lambda match: quote(lexical(fields[match[1]]), safe=""), path)
    asked = [(name, fields[name]) for name in query if fields.get(name) is not None]
    if asked:
        target += "?" + "&".join(f"{quote(name, safe='')}={quote(lexical(value), safe='')}" for name, value in asked)
    return target, {name: value for name, value in fields.items() if name not in named and name not in query}
