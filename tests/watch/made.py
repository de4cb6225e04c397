"""Facts of a gateway that is well, a clock that a test moves, and a development set-up on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway.cli.common import compose
from gateway.overview import observer
from gateway.settings import load_settings
from gateway.watch.facts import (
    CertificateFacts,
    DiskFacts,
    Facts,
    LedgerFacts,
    PolicyFacts,
    Role,
    UpstreamFacts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import Settings
    from gateway.watch.observer import Observer

GIB = 1 << 30


@dataclass
class MovedClock:
    """Wall and monotonic time as a test says; ``step`` moves the wall alone."""

    at: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)
    ran: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ran

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ran += seconds

    def step(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


WELL = Facts(
    at="2026-11-22T12:00:00+00:00",
    running=True,
    since="2026-11-22T11:00:00+00:00",
    ledger=LedgerFacts(reachable=True, size=10, published=10, checkpoint_at="2026-11-22T11:59:59+00:00"),
    policy=PolicyFacts(1, "ab", same_as_file=True, period="202611", period_days=20.0, next_key=True),
    certificates=(
        CertificateFacts("list", "ministry.root", "2026-12-22T12:00:00+00:00", 30.0, ours=True),
        CertificateFacts("ours", "signing", "2027-11-22T12:00:00+00:00", 365.0, ours=True),
    ),
    disks=(DiskFacts("log", 50 * GIB, 100 * GIB), DiskFacts("db", 50 * GIB, 100 * GIB)),
    roles=(
        Role(
            "sequencer", 11, alive=True, since="2026-11-22T11:00:00+00:00", restarts=0, restarts_hour=0, last_exit=None
        ),
        Role("workers", 12, alive=True, since="2026-11-22T11:00:00+00:00", restarts=0, restarts_hour=0, last_exit=None),
    ),
    upstreams=(UpstreamFacts("civil-registry", 2, 0, 0, {"answered": 3}, {"answered": 3}, None),),
    per_minute=(0, 3, 1),
)


def but(**changes: Any) -> Facts:
    return replace(WELL, **changes)


def settings_of(folder: Path) -> Settings:
    return load_settings(folder / "passerelle.toml", {})


def observer_of(folder: Path) -> Observer:
    return observer(compose(settings_of(folder)), None)
