"""Which counts are told together, so that none that is told, and no difference of them, is of a few children alone.

The rule (docs/decisions/0035). A breakdown divides all registrations into categories, and each category into parts,
twice over: by the service held (none, a non-subsidised place, another) and by birth (unborn, born). Whoever has the
numbers has each part, told or by subtraction. Categories stand in groups of neighbours, fixed beforehand.
Primary: where a category has a part of 1 to 4, it is not told by itself. Complementary: then its whole group is told as
one; and where a part of that sum is 1 to 4, or the group is that category alone, all groups are told as one; and where
that is of 1 to 4 too, nothing is.

So what is published is a coarser division whose parts are all of nobody, or of five and more: nothing finer follows by
adding and subtracting. Nor from the rule: which categories go together does not depend on how many are in the others,
so a sum of five and more says no more than that one of those in it is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Fewer children than these could be recognised; nobody at all cannot.
LEAST = 5


@dataclass(frozen=True, slots=True)
class Row:
    """The registrations of one category, or of several told as one, by the parts that they are counted in.

    Attributes:
        none, holding, other: with no service, with a non-subsidised place, with another service; together all of them.
        unborn: of all of them.
    """

    categories: tuple[str, ...]
    none: int
    holding: int
    other: int
    unborn: int

    @property
    def everybody(self) -> int:
        """All registrations in it."""
        return self.none + self.holding + self.other

    @property
    def has_few(self) -> bool:
        """Whether a part of it is of 1 to 4 children."""
        parts = (self.none, self.holding, self.other, self.unborn, self.everybody - self.unborn)
        return any(0 < part < LEAST for part in parts)


def together(rows: Sequence[Row]) -> Row:
    """Several as one."""
    return Row(
        categories=tuple(category for row in rows for category in row.categories),
        none=sum(row.none for row in rows),
        holding=sum(row.holding for row in rows),
        other=sum(row.other for row in rows),
        unborn=sum(row.unborn for row in rows),
    )


def division(groups: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    """The rows that may be told of a breakdown, in its order; none where not even all of them as one may be."""
    told: list[Row] = []
    for group in groups:
        told += [together(group)] if any(row.has_few for row in group) else group
    if any(row.has_few for row in told):
        told = [together(told)]
    return () if told[0].has_few else tuple(told)
