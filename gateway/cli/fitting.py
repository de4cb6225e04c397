"""Tables that fit a terminal: columns go, whole, before any figure is cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``spare`` says how soon it goes where there is no room, 0 never; ``words`` may run over lines."""

    title: str = ""
    spare: int = 0
    words: bool = False


@dataclass(slots=True)
class FittedTable:
    """Rows under a title; the first column is names, in words."""

    title: str
    columns: Sequence[Column]
    least: int = 22
    rows: list[tuple[str | Text, ...]] = field(default_factory=list)

    def add(self, *cells: str | Text) -> None:
        """One row; cells that are not given stay empty."""
        self.rows.append(cells + ("",) * (1 + len(self.columns) - len(cells)))

    def shown(self, width: int) -> Table:
        """The table with the columns for which there is room."""
        kept = list(range(len(self.columns)))
        while self._needed(kept) > width:
            spare = max(kept, key=lambda at: self.columns[at].spare, default=None)
            if spare is None or not self.columns[spare].spare:
                break
            kept.remove(spare)
        table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)
        table.add_column(Text(f"\n{self.title}", "bold not dim"), min_width=min(self.least, width), overflow="fold")
        for at in kept:
            column = self.columns[at]
            table.add_column(f"\n{column.title}" if column.title else "", no_wrap=not column.words, overflow="fold")
        for row in self.rows:
            table.add_row(row[0], *(row[at + 1] for at in kept))
        return table

    def _needed(self, kept: Sequence[int]) -> int:
        names = max([self.least, *(_longest(row[0]) for row in self.rows)])
        return names + sum(_GAP + self._least(at) for at in kept)

    def _least(self, at: int) -> int:
        cells = [self.columns[at].title, *(row[at + 1] for row in self.rows)]
        return max(_longest(cell) if self.columns[at].words else len(cell) for cell in cells)


def _longest(cell: str | Text) -> int:
    """The longest word: the least width in which none is cut."""
    return max((len(word) for word in str(cell).split()), default=0)
