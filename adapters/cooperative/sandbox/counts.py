"""The answer of ``waitlist.counts``: how many wait, by each definition, at the end of a month that is over.

By months, since of two instants that lie near to each other the difference is one family.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.counts_storage import AGES, DESIRED, HOLDING, NONE, OTHER, UNBORN
from adapters.cooperative.sandbox.registrations import NEIGHBOURS
from adapters.cooperative.sandbox.storage import end_of
from adapters.cooperative.sandbox.suppression import LEAST, Row, division

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.cooperative.sandbox.counts_storage import Cell
    from adapters.cooperative.sandbox.storage import Registry

#: Each breakdown's categories, in the groups of neighbours that are told as one where one of them is small; and how a
#: cell's category is found.
_BREAKDOWNS: tuple[tuple[str, tuple[tuple[str, ...], ...], Callable[[Cell], str]], ...] = (
    ("by_region", NEIGHBOURS, lambda cell: cell.region),
    ("by_age", ((UNBORN, AGES[4]), (AGES[3], AGES[2]), (AGES[1], AGES[0])), lambda cell: cell.age),
    ("by_desired_date", (DESIRED[:2], DESIRED[2:]), lambda cell: cell.desired),
)


def counts(registry: Registry, as_of: date, now: datetime) -> dict[str, object]:
    """The canonical answer as of the last month that was over on ``as_of`` and is over now: for ever the same."""
    day = last_month_end(min(as_of, now.astimezone(UTC).date() - timedelta(days=1)))
    cells = registry.cells(day)
    total = _row("all", cells)
    answer: dict[str, object] = {
        "as_of": as_of.isoformat(),
        "counted_at": end_of(day),
        "least": LEAST,
        **_told(total, shown=not total.has_few),
    }
    for name, groups, category_of in _BREAKDOWNS:
        of = {one: _row(one, [cell for cell in cells if category_of(cell) == one]) for group in groups for one in group}
        answer[name] = [
            {"categories": list(row.categories), **_told(row)}
            for row in division([[of[one] for one in group] for group in groups])
        ]
    return answer


def last_month_end(day: date) -> date:
    """The last day of the last month that is over at the end of this day."""
    following = day + timedelta(days=1)
    return day if following.day == 1 else day.replace(day=1) - timedelta(days=1)


def _row(category: str, cells: Sequence[Cell]) -> Row:
    def held(service: str) -> int:
        return sum(cell.count for cell in cells if cell.service == service)

    unborn = sum(cell.count for cell in cells if cell.age == UNBORN)
    return Row((category,), none=held(NONE), holding=held(HOLDING), other=held(OTHER), unborn=unborn)


def _told(row: Row, *, shown: bool = True) -> dict[str, int | None]:
    return {
        "all": row.everybody if shown else None,
        "without_service": row.none if shown else None,
        "holding_non_subsidised": row.holding if shown else None,
        "unborn": row.unborn if shown else None,
    }
