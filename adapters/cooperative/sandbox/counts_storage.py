"""What the registry's database counts for ``waitlist.counts``: what was in force, in cells that no child shares."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_YEAR_MONTHS = 12
#: The oldest first: a child born on or before the day so many years ago is of that age at least.
AGES = ("age_4_and_over", "age_3", "age_2", "age_1", "under_1")
UNBORN = "unborn"
DESIRED = ("by_now", "within_6_months", "within_12_months", "later")
NONE, HOLDING, OTHER = "none", "holding", "other"
_CELLS = f"""
SELECT region,
  CASE WHEN birth_date IS NULL OR birth_date > :day THEN '{UNBORN}' WHEN birth_date <= :years_4 THEN '{AGES[0]}'
    WHEN birth_date <= :years_3 THEN '{AGES[1]}' WHEN birth_date <= :years_2 THEN '{AGES[2]}'
    WHEN birth_date <= :years_1 THEN '{AGES[3]}' ELSE '{AGES[4]}' END AS age,
  CASE WHEN desired_on <= :day THEN '{DESIRED[0]}' WHEN desired_on <= :months_6 THEN '{DESIRED[1]}'
    WHEN desired_on <= :months_12 THEN '{DESIRED[2]}' ELSE '{DESIRED[3]}' END AS desired,
  CASE held WHEN 'none' THEN '{NONE}' WHEN 'non_subsidised_daycare' THEN '{HOLDING}' ELSE '{OTHER}' END AS service,
  COUNT(*)
FROM registrations WHERE since <= :instant AND (until IS NULL OR until > :instant)
GROUP BY region, age, desired, service ORDER BY region, age, desired, service
"""  # noqa: S608  our own constants only


@dataclass(frozen=True, slots=True)
class Cell:
    """How many registrations are of one region, age, desired date and service held, each of them in one cell only."""

    region: str
    age: str
    desired: str
    service: str
    count: int


def read_cells(connection: Connection, day: date, instant: str) -> list[Cell]:
    """The cells of what was in force at ``instant``, ages and dates as of ``day``."""
    asked = {"day": day.isoformat(), "instant": instant}
    asked |= {f"years_{years}": months_after(day, -years * _YEAR_MONTHS).isoformat() for years in (1, 2, 3, 4)}
    asked |= {f"months_{months}": months_after(day, months).isoformat() for months in (6, _YEAR_MONTHS)}
    return [Cell(*row) for row in connection.execute(text(_CELLS), asked)]


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    month = day.year * _YEAR_MONTHS + day.month - 1 + months
    year, place = divmod(month, _YEAR_MONTHS)
    return date(year, place + 1, min(day.day, monthrange(year, place + 1)[1]))
