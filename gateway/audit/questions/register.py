"""The register of releases of personal information (Act respecting access, A-2.1, s. 67.3), by agreement.

Of each: the nature or type of the information, who receives it, for what purpose, and the reason that justifies it; and
beside what the Act asks for, how many persons it was about and between which dates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.questions.joins import Joins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.questions.disclosures import Found
    from gateway.audit.questions.rows import Row, Rows
    from gateway.audit.questions.titles import Titles

_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the register.

    Attributes:
        agreement: its word in the policy.
        party, recipient: who received, by name and by title.
        operation, service: by name and by title.
        purpose: as the caller signed it.
        reason: the legal basis that the policy of that time gives.
        nature: each field disclosed, with what the contract says of it.
        releases: how many exchanges.
        persons: distinct children, those that merges made one counted once; a child of whom nothing but a refusal to
            confirm was told has no name here and is counted by ``unnamed`` releases.
        unnamed: releases about nobody whom the ledger has a name for.
        first, last: leaf times in microseconds since 1970.
    """

    agreement: str
    party: str
    recipient: str
    operation: str
    service: str
    purpose: str
    reason: str
    nature: tuple[tuple[str, str], ...]
    releases: int
    persons: int
    unnamed: int
    first: int
    last: int


@dataclass(slots=True)
class _Group:
    nature: dict[str, str] = field(default_factory=dict)
    releases: set[int] = field(default_factory=set)
    persons: set[str] = field(default_factory=set)
    unnamed: int = 0
    times: list[int] = field(default_factory=list)
    recipient: str = ""
    service: str = ""


def register(parts: Mapping[int, Rows], found: Found, titles: Titles) -> tuple[Entry, ...]:
    """The register's lines for these releases, by agreement, recipient, operation, purpose and reason.

    Raises Problem where a policy or contract that evidence names is not in the log.
    """
    joins, groups = Joins(parts.values()), dict[_Key, _Group]()
    for row in found.rows:
        terms = row.terms
        key = (terms.agreement, terms.party, terms.operation, terms.purpose, titles.legal_basis(terms))
        group = groups.setdefault(key, _Group())
        group.recipient, group.service = titles.party(terms), titles.operation(terms)
        group.nature.update(titles.fields(terms))
        _count(group, row, joins)
    return tuple(_entry(key, groups[key]) for key in sorted(groups))


def _count(group: _Group, row: Row, joins: Joins) -> None:
    group.releases.add(row.index)
    group.times = [min([row.at, *group.times]), max([row.at, *group.times])]
    if row.subject is None:
        group.unnamed += 1
    else:
        group.persons.add(joins.child(row.subject.ledger))


def _entry(key: _Key, group: _Group) -> Entry:
    agreement, party, operation, purpose, reason = key
    return Entry(
        agreement=agreement,
        party=party,
        recipient=group.recipient,
        operation=operation,
        service=group.service,
        purpose=purpose,
        reason=reason,
        nature=tuple(sorted(group.nature.items())),
        releases=len(group.releases),
        persons=len(group.persons),
        unnamed=group.unnamed,
        first=group.times[0],
        last=group.times[1],
    )
