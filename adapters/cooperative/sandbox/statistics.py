"""What the sandbox counts for a question: the answer of ``waitlist.statistics``, small numbers withheld."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.counts import REGIONS

if TYPE_CHECKING:
    from adapters.cooperative.sandbox.storage import WaitingList

#: Fewer than so many children could be recognised.
_LEAST_SHOWN = 5
_ALL = "all"
_CAUTION = "Nombres provisoires: les inscriptions du mois ne sont pas toutes traitées."


def statistics(waiting_list: WaitingList, as_of: str, region: str | None) -> dict[str, object]:
    """The canonical answer for a day (YYYY-MM-DD), of one region or of all."""
    day = waiting_list.counted_day(as_of)
    rows = [] if day is None else waiting_list.counts(day, region)
    final = day is None or day < waiting_list.newest()
    everybody = [(waiting, tenths) for _, definition, waiting, tenths in rows if definition == _ALL]
    answer: dict[str, object] = {
        "as_of": as_of,
        "counted_at": f"{day or as_of}T23:59:59Z",
        "final": final,
        "waiting": sum(waiting for waiting, _ in everybody),
        "average_wait_months": _average(sum(w for w, _ in everybody), sum(t for _, t in everybody)),
        "regions": [_region(code, list(of_region)) for code, of_region in groupby(rows, lambda row: row[0])],
    }
    return answer if final else answer | {"note": _CAUTION}


def _region(code: str, rows: list[tuple[str, str, int, int]]) -> dict[str, object]:
    name, places = REGIONS[code]
    waiting, tenths = next((waiting, tenths) for _, definition, waiting, tenths in rows if definition == _ALL)
    shown: dict[str, object] = {
        "code": code,
        "name": name,
        "waiting": _shown(waiting),
        "average_wait_months": _average(waiting, tenths),
        "definitions": [{"definition": row[1], "waiting": _shown(row[2])} for row in rows],
    }
    return shown if places is None else shown | {"places": places}


def _shown(count: int) -> int | None:
    return count if count >= _LEAST_SHOWN else None


def _average(waiting: int, tenths: int) -> str | None:
    if waiting < _LEAST_SHOWN:
        return None
    average = (Decimal(tenths) / 10 / waiting).quantize(Decimal("0.01"), ROUND_HALF_UP)
    text = f"{average:f}".rstrip("0").rstrip(".")
    return text or "0"
