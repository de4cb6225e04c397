"""Who was told what about whom: the rows that a question asks for, each shown by its leaf in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.files import LogFolder
from gateway.audit.questions.joins import Joins, subjects_named
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.verdict import Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.tiles import WIDTH, entries_path, unpack_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gateway.audit.questions.joins import Join
    from gateway.audit.questions.rows import Row, Rows, Terms

#: An end that is left open.
FOREVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; None where anything will do.

    Attributes:
        since, until: leaf times in microseconds since 1970, from (included) until (excluded).
        subject: 64 hex digits: a party's handle, or the ledger's name.
        everything: also refusals, and exchanges that told nothing about a person.
    """

    since: int = 0
    until: int = FOREVER
    party: str | None = None
    subject: str | None = None
    operation: str | None = None
    field: str | None = None
    purpose: str | None = None
    agreement: str | None = None
    everything: bool = False

    def asks_for(self, terms: Terms) -> bool:
        """Whether exchanges of these terms may be among the answers."""
        released = terms.kind == "exchange" and terms.discloses
        pairs = (
            (self.party, terms.party),
            (self.operation, terms.operation),
            (self.purpose, terms.purpose),
            (self.agreement, terms.agreement),
        )
        return (
            (self.everything or released)
            and all(wanted is None or wanted == has for wanted, has in pairs)
            and (self.field is None or self.field in terms.fields)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The answer.

    Attributes:
        rows: in the order of the log.
        names: where a subject was asked for, all the names by which the ledger knows that child.
        by_handle: whether the subject was given as a party's handle.
        joins: the merges between these names.
    """

    rows: tuple[Row, ...]
    names: frozenset[str] = frozenset()
    by_handle: bool = False
    joins: tuple[Join, ...] = field(default=())


def find(parts: Mapping[int, Rows], question: Question) -> Found:
    """The rows that answer; those of merged subjects with those of the child that they became, and the reverse."""
    if question.subject is None:
        rows = [rows[at] for rows, at in _matching(parts, question)]
        return Found(tuple(sorted(rows, key=lambda row: row.index)))
    named, by_handle = subjects_named(parts, bytes.fromhex(question.subject))
    joins = Joins(parts.values())
    names = joins.names_of(named)
    rows = [rows[at] for rows, at in _matching(parts, question, names)]
    ordered = tuple(sorted(rows, key=lambda row: row.index))
    return Found(ordered, frozenset(names), by_handle, joins.among(names))


def unknown_words(parts: Mapping[int, Rows], question: Question) -> dict[str, tuple[str, ...]]:
    """What the question names and nothing in the log has, a slip perhaps: by its kind, the words that there are."""
    terms = [each for rows in parts.values() for each in rows.terms]
    known = {
        "party": (question.party, {each.party for each in terms}),
        "operation": (question.operation, {each.operation for each in terms}),
        "purpose": (question.purpose, {each.purpose for each in terms}),
        "agreement": (question.agreement, {each.agreement for each in terms}),
        "field": (question.field, {name for each in terms for name in each.fields}),
    }
    return {
        kind: tuple(sorted(words - {""}))
        for kind, (asked, words) in known.items()
        if asked is not None and asked not in words
    }


def _matching(
    parts: Mapping[int, Rows], question: Question, names: set[str] | None = None
) -> Iterator[tuple[Rows, int]]:
    for rows in parts.values():
        terms = {number for number, terms in enumerate(rows.terms) if question.asks_for(terms)}
        if names is None:
            found: Iterator[int] = rows.within(terms, question.since, question.until)
        else:
            places = (at for name in sorted(names) for at in rows.of_subject(bytes.fromhex(name), by_handle=False))
            found = (at for at in places if rows.matches(at, terms, question.since, question.until))
        for at in found:
            yield rows, at


def check_shown(log: Path, size: int, rows: Sequence[Row]) -> None:
    """Returns if the leaf of each row stands in the log where the index says.

    Raises NoAnswerError naming the exchange: the copy was changed after its audit.
    """
    folder, bundle, leaves = LogFolder(log), -1, list[bytes]()
    for row in rows:
        if row.index // WIDTH != bundle:
            bundle = row.index // WIDTH
            leaves = _bundle(folder, bundle, size)
        at = row.index % WIDTH
        if at >= len(leaves) or leaf_hash(leaves[at]) != row.leaf_hash:
            raise NoAnswerError("leaf_not_shown", index=row.index, exchange_id=row.exchange_id)


def _bundle(folder: LogFolder, bundle: int, size: int) -> list[bytes]:
    try:
        return unpack_entries(folder.read(entries_path(bundle, min(WIDTH, size - bundle * WIDTH))))
    except (Problem, FormatError):
        return []
