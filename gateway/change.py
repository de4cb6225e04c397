"""What an exchange changes at rest, as a value: said by the room that owns the tables, written with the record.

What lives here: statements that travel. What may not: the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.errors import Code


@dataclass(frozen=True, slots=True)
class Statement:
    """One write of a Change: its text with ``?``, the values, and how many rows it must touch (None: any number)."""

    text: str
    values: tuple[object, ...] = field(repr=False)
    rows: int | None


@dataclass(frozen=True, slots=True)
class Addition:
    """A row of its own that rests on nothing read before, and which nobody else can have written: a note.

    ``into`` is its INSERT as far as the columns, ``values`` has one for each. Those of many records go in together.
    """

    into: str
    values: tuple[object, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What an exchange changes at rest: written in the very transaction of its record, or neither of them is.

    ``conflict`` is what the caller is told where a statement touches other than its number of rows, since the exchange
    rests on what was true a moment ago. ``alone`` is False of one that rests on nothing read before, an insert of a row
    of its own, so that others may write meanwhile; one that is nothing but ``added`` costs next to nothing.
    """

    statements: tuple[Statement, ...]
    conflict: Code
    alone: bool = True
    added: tuple[Addition, ...] = ()

    def then(self, other: Change) -> Change:
        """Both, in this order, under this one's conflict; alone if either must be."""
        alone = self.alone or other.alone
        return Change((*self.statements, *other.statements), self.conflict, alone, (*self.added, *other.added))
