"""One child under several names: a party's handles, the ledger's keyed hashes, and what merges made one (N3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from gateway.audit.questions.rows import Rows


@dataclass(frozen=True, slots=True)
class Join:
    """A leaf that made one subject another; both by the ledger's name, hex."""

    merged: str
    survivor: str
    exchange_id: UUID
    index: int


class Joins:
    """All merges of a log, as far as its evidence is open."""

    def __init__(self, parts: Iterable[Rows]) -> None:
        self._joins: list[Join] = []
        self._into: dict[str, str] = {}
        for rows in parts:
            self._take(rows)

    def child(self, ledger: str) -> str:
        """One name for all the names of a child: the same for those that merges made one."""
        while (above := self._into.get(ledger, ledger)) != ledger:
            ledger = above
        return ledger

    def names_of(self, found: Iterable[str]) -> set[str]:
        """All the ledger's names for the children that these are names of, merged before or since."""
        children = {self.child(name) for name in found}
        known = {name for join in self._joins for name in (join.merged, join.survivor)}
        return children | {name for name in known if self.child(name) in children}

    def among(self, names: set[str]) -> tuple[Join, ...]:
        """The merges that made these names one, in the order of the log."""
        return tuple(sorted((join for join in self._joins if join.merged in names), key=lambda join: join.index))

    def _take(self, rows: Rows) -> None:
        by_leaf: dict[int, list[tuple[str, str | None]]] = {}
        ids: dict[int, UUID] = {}
        for at in rows.merges():
            row = rows[at]
            if row.subject is not None:
                by_leaf.setdefault(row.index, []).append((row.subject.ledger, row.subject.role))
                ids[row.index] = row.exchange_id
        for index, subjects in by_leaf.items():
            survivor = next(name for name, role in subjects if role == "survivor")
            for name, role in subjects:
                if role == "merged":
                    self._joins.append(Join(name, survivor, ids[index], index))
                    self._unite(name, survivor)

    def _unite(self, merged: str, survivor: str) -> None:
        one, other = self.child(merged), self.child(survivor)
        if one != other:
            self._into[one] = other


def subjects_named(parts: Mapping[int, Rows], name: bytes) -> tuple[set[str], bool]:
    """The ledger's names of whoever is known by this handle, or by this name of the ledger's; and whether by a handle.

    A party's handle names one child for ever, under one ledger name or, after a merge, more than one.
    """
    for by_handle in (True, False):
        found: set[str] = set()
        for rows in parts.values():
            for at in rows.of_subject(name, by_handle=by_handle):
                subject = rows[at].subject
                if subject is not None:
                    found.add(subject.ledger)
        if found:
            return found, by_handle
    return set(), False
