"""What the sequencer reports of witnesses and timestamp authorities, read back from its file."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.watch.facts import OutsideFacts

if TYPE_CHECKING:
    from pathlib import Path

#: The report's name in the folder of the logs.
REPORT = "outside.json"


def outside(path: Path, at: datetime) -> OutsideFacts:
    """Who confirmed the log lately; empty where the policy names nobody, or nothing was reported."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        witnesses, stamps = said.get("witnesses", {}), said.get("timestamps", {})
        return OutsideFacts(
            quorum=int(witnesses.get("quorum", 0)),
            waits=bool(witnesses.get("waits", False)),
            cosigned=tuple(str(name) for name in witnesses.get("cosigned", ())),
            witnesses_failed={str(name): str(why) for name, why in witnesses.get("failed", {}).items()},
            missing_seconds=_ago(witnesses.get("missing_since"), at),
            untimestamped_seconds=_ago(stamps.get("waiting_since"), at),
            authorities_failed={str(name): str(why) for name, why in stamps.get("failed", {}).items()},
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return OutsideFacts()


def _ago(moment: str | None, at: datetime) -> float | None:
    return None if moment is None else max(0.0, (at - datetime.fromisoformat(moment)).total_seconds())
