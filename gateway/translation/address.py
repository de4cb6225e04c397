"""Where a request of ours goes: an operation's path and query with its fields in them, in their one spelling (P3).

What is put into a path stays one segment of it: a server takes `..` for the way up, and would be asked another thing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.translation.lexical import lexical
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PATH_FIELD = re.compile(r"\{([a-zA-Z0-9_.-]+)\}")
_NO_SEGMENTS = frozenset({"", ".", ".."})


def address(path: str, query: Collection[str], fields: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The raw target, and the fields that do not stand in it; an absent or null field of the query is left out.

    Raises LexicalError for a value that is no single one, or with which a segment of the path is empty, ``.`` or
    ``..`` (RFC 3986, 5.2.4); KeyError for a path's field that is missing.
    """
    named = path_fields(path)
    target = "/".join(_filled(segment, fields) for segment in path.split("/"))
    asked = [(name, fields[name]) for name in query if fields.get(name) is not None]
    if asked:
        target += "?" + "&".join(f"{quote(name, safe='')}={quote(lexical(value), safe='')}" for name, value in asked)
    return target, {name: value for name, value in fields.items() if name not in named and name not in query}


def path_fields(path: str) -> list[str]:
    """The names of the fields in a path, as they stand in its braces."""
    return _PATH_FIELD.findall(path)


def _filled(segment: str, fields: Mapping[str, object]) -> str:
    filled = _PATH_FIELD.sub(lambda match: quote(lexical(fields[match[1]]), safe=""), segment)
    if filled != segment and filled in _NO_SEGMENTS:
        raise LexicalError
    return filled
