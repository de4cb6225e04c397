"""What the sandbox tells of registrations: one by its handle, or the few that meet every criterion of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.cooperative.sandbox.storage import Kept, Registry

#: The criteria that point to a family, of which so many must be there; the one that only narrows; how much is told.
POINTING = frozenset({"family_name", "given_names", "birth_date", "parent_family_name", "parent_given_names", "phone"})
LEAST, REGION, MOST = 2, "region", 10

_TOLD = {
    "family_name": "family_name",
    "given_names": "given_names",
    "birth_date": "birth_date",
    "expected_date": "expected_date",
    "region": "region",
    "registered_on": "registered_on",
    "desired_on": "desired_on",
    "service_wanted": "wanted",
    "service_held": "held",
}
_HIT = ("handle", "family_name", "given_names", "birth_date", "region")


def registration(kept: Kept | None, state: str) -> dict[str, object]:
    """The answer of ``registration.get``, without its salt; ``state`` is the digest of what is told."""
    return {"outcome": "not_found"} if kept is None else {"outcome": "found", **told(kept), "state": state}


def told(kept: Kept) -> dict[str, object]:
    """A registration's fields by the names under which they are told, its parents' among them."""
    fields = {name: kept.row[column] for name, column in _TOLD.items() if kept.row[column] is not None}
    return {**fields, "parents": [dict(one) for one in kept.parents]}


def found(registry: Registry, criteria: Mapping[str, str]) -> dict[str, object]:
    """The answer of ``registration.search``, without its salt: all that meet the criteria, or none of too many."""
    rows = registry.search(criteria, MOST + 1)
    if len(rows) > MOST:
        return {"outcome": "too_many", "hits": []}
    return {"outcome": "found", "hits": [{name: row[name] for name in _HIT if row[name] is not None} for row in rows]}
