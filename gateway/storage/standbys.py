"""The standbys that a server's commits wait for: how many it needs, and how many are there (DESIGN, section 9)."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What the server waits for, and who follows it. Whoever may not read the statistics sees rows without a state.
STANDBYS = """
SELECT current_setting('synchronous_standby_names'), count(*) - count(state),
       count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum'))
FROM pg_stat_replication
"""
_NUMBER = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Standbys:
    """Standbys now.

    Attributes:
        needed: so many must have a commit before it returns; 0 where the server waits for none.
        connected: so many of those that count follow the server; None where we may not know (pg_monitor).
    """

    needed: int
    connected: int | None


def standbys(names: str, hidden: int, connected: int) -> Standbys:
    """What a row of STANDBYS says."""
    return Standbys(needed(names), None if hidden else connected)


def needed(names: str) -> int:
    """How many standbys ``synchronous_standby_names`` demands: ``ANY 2 (a, b, c)``, ``2 (a, b)``, ``a, b``, nothing."""
    if not names.strip():
        return 0
    number = _NUMBER.match(names)
    return int(number[1]) if number else 1
