r"""The part of regular expression syntax that means the same to JSON Schema and to XSD.

JSON Schema's patterns are ECMA-262 and search; XSD's (XML Schema part 2, appendix F) match the whole value and know
neither anchors nor lookaround, and give ``\d``, ``\s``, ``\w`` and ``.`` another meaning. What differs is refused.
"""

from __future__ import annotations

import re

#: A backslash may stand before these in both: XSD knows no escaped dollar or slash; ``[$]`` is a dollar in both.
_ESCAPE = r"\\[\\|.?*+(){}\[\]^-]|\\[nrt]"
_CATEGORY = r"\\[pP]\{(?:L[ltmou]?|M[nce]?|N[dlo]?|P[cdseifo]?|Z[slp]?|S[mcko]?|C[cfon]?)\}"
_PLAIN_IN_CLASS = r"[^\\\[\]^&~-]"
_IN_CLASS = rf"(?:{_CATEGORY}|(?:{_ESCAPE}|{_PLAIN_IN_CLASS})(?:-(?:{_ESCAPE}|{_PLAIN_IN_CLASS}))?)"
_TOKENS = re.compile(
    rf"(?P<klass>\[\^?-?{_IN_CLASS}+-?\])|(?P<escape>{_ESCAPE}|{_CATEGORY})|(?P<quantifier>[?*+]|\{{\d{{1,4}}(?:,\d{{0,4}})?\}})"
    r"|(?P<open>\((?!\?))|(?P<close>\))|(?P<bar>\|)|(?P<plain>[^\\\[\](){}?*+|.^$])"
)

_ESCAPED = re.compile(r"\\p\{Cc\}|\\.")
_CONTROL = r"\p{Cc}"
_CONTROLS = r"\u0000-\u001f\u007f-\u009f"


def check_pattern(pattern: str) -> str | None:
    """What keeps a pattern from meaning the same in both, with what to do; None where nothing does."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or len(pattern) < len("^$"):
        return "a pattern is anchored: write ^...$"
    at, depth, repeatable, end = 1, 0, False, len(pattern) - 1
    while at < end:
        token = _TOKENS.match(pattern, at, end)
        if token is None:
            return f"column {at + 1} of the pattern is not the same in XSD: no . \\d \\w \\s (?...) \\b; spell it out"
        kind = token.lastgroup
        depth += {"open": 1, "close": -1}.get(str(kind), 0)
        if depth < 0 or (kind == "quantifier" and not repeatable):
            return f"column {at + 1} of the pattern has nothing before it to close or to repeat"
        if kind == "bar" and depth == 0:
            return "alternatives stand in parentheses, else the anchors hold for the outer ones only: write ^(a|b)$"
        repeatable = kind in {"klass", "escape", "close", "plain"}
        at = token.end()
    return None if depth == 0 else "a parenthesis of the pattern is never closed"


def portable_pattern(pattern: str) -> str:
    r"""A checked pattern with control characters as ranges: many readers of JSON Schema know no ``\p{Cc}``."""

    def in_class(match: re.Match[str]) -> str:
        return _CONTROLS if match[0] == _CONTROL else match[0]

    def spelled_out(match: re.Match[str]) -> str:
        if match.lastgroup == "klass":
            return _ESCAPED.sub(in_class, match[0])
        return f"[{_CONTROLS}]" if match[0] == _CONTROL else match[0]

    return f"^{_TOKENS.sub(spelled_out, pattern[1:-1])}$"


def xsd_pattern(pattern: str) -> str:
    """A checked pattern as an XSD facet, which is anchored by itself."""
    return pattern[1:-1]
