"""Says 30, 14 and 3 days ahead that something ends, once for each: in the log, which nobody must watch all day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.watch.alarms import CERTIFICATE_DAYS, LAST_DAYS, LIST_DAYS, REVOCATION, WARNING_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.watch.facts import CertificateFacts

#: Nearest first: of several that were passed unseen, only the nearest is said.
_THRESHOLDS = (LAST_DAYS, CERTIFICATE_DAYS, WARNING_DAYS)


class Expiries:
    """Remembers what was said for as long as the process lives."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str, str, float]] = set()
        self._log = structlog.get_logger("expiries")

    def look(self, things: Iterable[CertificateFacts]) -> None:
        """Logs what has come nearer to its end than a threshold since the last look."""
        for item in things:
            thresholds = (LIST_DAYS,) if item.kind in REVOCATION else _THRESHOLDS
            passed = next((days for days in thresholds if item.days < days), None)
            if passed is None or item.kind == "answer" or (item.kind == "agreement" and item.days <= 0):
                continue
            if (said := (item.kind, item.name, item.until, passed)) not in self._said:
                self._said.add(said)
                tell = self._log.error if item.days < LAST_DAYS else self._log.warning
                tell("ends_soon", kind=item.kind, subject=item.name, until=item.until, days=item.days, threshold=passed)
