"""Synthetic counts of a waiting list: the same seed, the same registry. Nobody in it exists."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.storage import write_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.cooperative.sandbox.storage import Row

#: Name and licensed places by the region's number; places that are not counted are absent.
REGIONS: dict[str, tuple[str, int | None]] = {
    "03": ("Capitale-Nationale", 27_412),
    "06": ("Montréal", 71_905),
    "13": ("Laval", None),
}
DEFINITIONS = ("all", "born", "wanted_by_now", "without_place")
FIRST_DAY = date(2025, 1, 31)
_MONTHS = 24
_SIZES = {"03": 4200, "06": 11_800, "13": 9}
#: Of a hundred registrations, so many count by each definition.
_SHARES = {"all": 100, "born": 71, "wanted_by_now": 46, "without_place": 34}


def create_counts(path: Path) -> None:
    """Makes the registry's database; raises FileExistsError rather than touch one."""
    write_counts(path, _rows())


def _rows() -> Iterator[Row]:
    day = FIRST_DAY
    for _ in range(_MONTHS):
        for region, size in _SIZES.items():
            everybody = size * (90 + _drawn(day, region) % 20) // 100
            for definition in DEFINITIONS:
                waiting = everybody * _SHARES[definition] // 100
                yield day.isoformat(), region, definition, waiting, waiting * (60 + _drawn(day, definition) % 110)
        day = _month_end(day + timedelta(days=1))


def _month_end(day: date) -> date:
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(days=1)


def _drawn(day: date, word: str) -> int:
    return int.from_bytes(sha256(f"passerelle sandbox waiting list {day} {word}".encode()).digest()[:4])
