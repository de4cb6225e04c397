"""What the refresher reports of the addresses that it fetches revocation data from, read back from its file."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.watch.facts import FetchFacts

if TYPE_CHECKING:
    from pathlib import Path

#: The report's name in the folder of the logs.
REPORT = "revocation.json"


def fetches(path: Path, at: datetime) -> tuple[FetchFacts, ...]:
    """The state of each address; none where the refresher has not reported."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            FetchFacts(
                file=str(row["file"]),
                url=str(row["url"]),
                fetched_seconds=_ago(row["fetched_at"], at),
                failing_seconds=_ago(row["failing_since"], at),
                reason=None if row["reason"] is None else str(row["reason"]),
                refused=bool(row["refused"]),
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _ago(moment: str | None, at: datetime) -> float | None:
    return None if moment is None else max(0.0, (at - datetime.fromisoformat(moment)).total_seconds())
