"""Figures, their aims, and one table of them: what each benchmark of this folder hands over.

They are kept in var/bench/latest.json, `{name: {value, unit, runs, what}}`; a benchmark that is run alone leaves the
others' there. What was measured in haste goes to quick.json beside it, and is not to be quoted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER = Path("var") / "bench"


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``runs`` of which it is the median."""

    value: float
    unit: str
    runs: int
    what: str


@dataclass(frozen=True)
class Aim:
    """What a figure should be: at least ``value``, or at most."""

    value: float
    at_most: bool = False

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.value:g}"

    def is_reached(self, value: float) -> bool:
        """Whether this value is as good."""
        return value <= self.value if self.at_most else value >= self.value


AIMS: Mapping[str, Aim] = {
    "exchange_over_bare_flask_c32": Aim(0.60),
    "gateway_over_direct": Aim(0.5),
    "append_over_database_best_sqlite": Aim(0.8),
    "append_over_database_best_postgresql": Aim(0.8),
    "sequencer_leaves_per_s": Aim(2000),
    "sequencer_leaves_per_s_postgresql": Aim(2000),
    "publish_delay_p99_ms": Aim(1000, at_most=True),
    "audit_over_openssl": Aim(0.9),
    "audit_rss_growth": Aim(1.2, at_most=True),
    "disclosures_query_s_1m": Aim(2, at_most=True),
    "translation_cpu_over_zeep": Aim(0.34, at_most=True),
    "budget_cpu_share": Aim(0.05, at_most=True),
    "batch_over_sandbox_alone": Aim(0.5),
    "batch_rss_growth": Aim(1.2, at_most=True),
}


def latest(*, quick: bool) -> dict[str, Figure]:
    """What is kept from the last run of each benchmark."""
    try:
        kept = json.loads(_file(quick=quick).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: Figure(**figure) for name, figure in kept.items()}


def keep(figures: Mapping[str, Figure], *, quick: bool) -> None:
    """Keeps them beside the others' and prints their table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    everything = {name: asdict(figure) for name, figure in (latest(quick=quick) | dict(figures)).items()}
    _file(quick=quick).write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    print(table(figures.items()), flush=True)


def _file(*, quick: bool) -> Path:
    return FOLDER / ("quick.json" if quick else "latest.json")


def begin_anew(*, quick: bool) -> None:
    """Forgets what is kept."""
    _file(quick=quick).unlink(missing_ok=True)


def table(figures: Iterable[tuple[str, Figure]]) -> str:
    """A line for each: name, figure, aim, reached or not, what it is."""
    lines = [f"{'figure':40} {'value':>12} {'unit':8} {'aim':>9} {'reached':8} what"]
    for name, figure in figures:
        aim = AIMS.get(name)
        wanted, reached = ("", "") if aim is None else (str(aim), "yes" if aim.is_reached(figure.value) else "NO")
        value = f"{figure.value:,.3f}".rstrip("0").rstrip(".")
        lines.append(f"{name:40} {value:>12} {figure.unit:8} {wanted:>9} {reached:8} {figure.what}")
    return "\n".join(lines)
