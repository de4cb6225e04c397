"""What the sandbox counts for a question: the answer of ``waitlist.statistics``, small numbers withheld."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.registrations import LAST_DAY, REGIONS
from adapters.cooperative.sandbox.suppression import LEAST

if TYPE_CHECKING:
    from adapters.cooperative.sandbox.storage import Counted, Registry

_DAYS_OF_A_MONTH = Decimal("30.4375")
_CAUTION = "Nombres provisoires: les inscriptions du mois ne sont pas toutes traitées."


def statistics(registry: Registry, as_of: str, region: str | None) -> dict[str, object]:
    """The canonical answer for a day (YYYY-MM-DD), of one region or of all; counted up to the registry's last day."""
    day = min(date.fromisoformat(as_of), LAST_DAY)
    regions = [one for one in registry.counted(day) if region in {None, one.region}]
    final = day < LAST_DAY.replace(day=1)
    everybody = sum(one.everybody for one in regions)
    # with the total of all regions, those that are told would tell the one that is not
    told = not any(0 < one.everybody < LEAST for one in regions)
    answer: dict[str, object] = {
        "as_of": as_of,
        "counted_at": f"{day.isoformat()}T23:59:59Z",
        "final": final,
        "waiting": everybody,
        "average_wait_months": _average(everybody, sum(one.days for one in regions)),
        "regions": [_region(one, told=told) for one in regions],
    }
    return answer if final else answer | {"note": _CAUTION}


def _region(counted: Counted, *, told: bool) -> dict[str, object]:
    name, places = REGIONS[counted.region]
    by_definition = {
        "all": counted.everybody,
        "born": counted.born,
        "wanted_by_now": counted.wanted_by_now,
        "without_place": counted.without_place,
    }
    shown: dict[str, object] = {
        "code": counted.region,
        "name": name,
        "waiting": _shown(counted.everybody, 0) if told else None,
        "average_wait_months": _average(counted.everybody, counted.days) if told else None,
        "definitions": [
            {"definition": name, "waiting": _shown(count, counted.everybody - count) if told else None}
            for name, count in by_definition.items()
        ],
    }
    return shown if places is None else shown | {"places": places}


def _shown(count: int, others: int) -> int | None:
    """The count; None for few, and where the others, whom everybody can subtract, are few."""
    return count if count >= LEAST and not 0 < others < LEAST else None


def _average(waiting: int, days: int) -> str | None:
    if waiting < LEAST:
        return None
    average = (Decimal(days) / _DAYS_OF_A_MONTH / waiting).quantize(Decimal("0.01"), ROUND_HALF_UP)
    text = f"{average:f}".rstrip("0").rstrip(".")
    return text or "0"
