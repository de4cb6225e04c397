"""Whether a party's own reference of a record holds a NIREC: it is written beside the results, which hold none (N1)."""

from __future__ import annotations

import re

#: What people write between digits, seen or unseen: all that is neither letter nor digit.
_SEPARATORS = re.compile(r"[\W_]+")


class HeldNirec:
    """Knows a reference that holds a NIREC, the record's own or any other, however it is written."""

    def __init__(self, nirec_pattern: str) -> None:
        self._pattern = re.compile(rf"(?<!\d)(?:{nirec_pattern})(?!\d)")

    def __call__(self, reference: str, nirec: str) -> bool:
        """Whether it does; ``nirec`` is the record's own, which is known even with more digits around it."""
        parts = [part for part in _SEPARATORS.split(reference) if part]
        if nirec in "".join(parts):
            return True
        # each run of neighbours: "2026 / 123 456 789 0123" holds one that "2026" before it must not hide
        ends = range(1, len(parts) + 1)
        return any(self._pattern.search("".join(parts[start:end])) for end in ends for start in range(end))
