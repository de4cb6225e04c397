"""Whether a text that is kept holds a NIREC, however it is written: a party's reference, an operator's reason (N1)."""

from __future__ import annotations

import re

#: What people write between digits, seen or unseen: all that is neither letter nor digit.
_SEPARATORS = re.compile(r"[\W_]+")


class WrittenNirec:
    """Knows a text that holds a NIREC, in groups or whole."""

    def __init__(self, nirec_pattern: str) -> None:
        self._pattern = re.compile(rf"(?<!\d)(?:{nirec_pattern})(?!\d)")

    def __call__(self, text: str, known: str | None = None) -> bool:
        """Whether it does; a ``known`` number is found even with more digits around it."""
        parts = [part for part in _SEPARATORS.split(text) if part]
        if known is not None and known in "".join(parts):
            return True
        # each run of neighbours: "2026 / 123 456 789 0123" holds one that "2026" before it must not hide
        ends = range(1, len(parts) + 1)
        return any(self._pattern.search("".join(parts[start:end])) for end in ends for start in range(end))
