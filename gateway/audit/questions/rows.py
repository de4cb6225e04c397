"""What is remembered of each exchange and refusal, in columns: little to keep, quick to look through.

A million rows are looked through in a second or so of Python, since what repeats (terms) is a number in a column, and
subjects are found by a search over bytes.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.ledger.encoding import FormatError, canonical_json, parse_canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

HASH = 32
_ID = 16
_NONE = bytes(HASH)
_VERSION = 1
_LENGTH = 4
ROLES = (None, "survivor", "merged")


@dataclass(frozen=True, slots=True)
class Terms:
    """What many exchanges share.

    Attributes:
        kind: ``exchange`` or ``refusal``.
        party: the caller; empty for a stranger who was refused.
        operation, purpose, agreement, contract, policy: as evidence has them, the last two by hash; empty in a refusal
            before the salt was claimed (C6).
        outcome: ``released``, or the code of a refusal.
        fields: disclosed, sorted.
        discloses: whether this told anything about a person: a subject, or a field that the contract does not call
            public.
    """

    kind: str
    party: str
    operation: str
    purpose: str
    agreement: str
    contract: str
    policy: str
    outcome: str
    fields: tuple[str, ...]
    discloses: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject, by the ledger's keyed hash and by the caller's handle (N3), hex."""

    ledger: str
    handle: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange and one of its subjects, or none; ``leaf_hash`` is RFC 6962's, ``at`` the leaf's in microseconds."""

    index: int
    at: int
    exchange_id: UUID
    leaf_hash: bytes
    terms: Terms
    subject: Subject | None


@dataclass(slots=True)
class Rows:
    """The rows of one period."""

    terms: list[Terms] = field(default_factory=list)
    _numbers: dict[Terms, int] = field(default_factory=dict)
    _index: array[int] = field(default_factory=lambda: array("Q"))
    _at: array[int] = field(default_factory=lambda: array("q"))
    _terms: array[int] = field(default_factory=lambda: array("I"))
    _role: bytearray = field(default_factory=bytearray)
    _ids: bytearray = field(default_factory=bytearray)
    _leaves: bytearray = field(default_factory=bytearray)
    _ledger: bytearray = field(default_factory=bytearray)
    _handle: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self._index)

    def append(self, row: Row) -> None:
        """Adds a row."""
        number = self._numbers.get(row.terms)
        if number is None:
            number = self._numbers[row.terms] = len(self.terms)
            self.terms.append(row.terms)
        subject = row.subject
        self._index.append(row.index)
        self._at.append(row.at)
        self._terms.append(number)
        self._role.append(ROLES.index(subject.role) if subject else 0)
        self._ids += row.exchange_id.bytes
        self._leaves += row.leaf_hash
        self._ledger += bytes.fromhex(subject.ledger) if subject else _NONE
        self._handle += bytes.fromhex(subject.handle) if subject else _NONE

    def __getitem__(self, at: int) -> Row:
        ledger, handle = (bytes(column[at * HASH : (at + 1) * HASH]) for column in (self._ledger, self._handle))
        subject = None if ledger == _NONE else Subject(ledger.hex(), handle.hex(), ROLES[self._role[at]])
        return Row(
            index=self._index[at],
            at=self._at[at],
            exchange_id=UUID(bytes=bytes(self._ids[at * _ID : (at + 1) * _ID])),
            leaf_hash=bytes(self._leaves[at * HASH : (at + 1) * HASH]),
            terms=self.terms[self._terms[at]],
            subject=subject,
        )

    def of_subject(self, name: bytes, *, by_handle: bool) -> Iterator[int]:
        """Where this name stands, as a party's handle or as the ledger's."""
        column = self._handle if by_handle else self._ledger
        at = column.find(name)
        while at >= 0:
            if at % HASH == 0:
                yield at // HASH
                at += HASH - 1  # names do not overlap
            at = column.find(name, at + 1)

    def merges(self) -> Iterator[int]:
        """The rows of exchanges that made subjects one."""
        return (at for at, role in enumerate(self._role) if role)

    def within(self, terms: set[int], since: int, until: int) -> Iterator[int]:
        """The rows of these terms from ``since`` up to, not with, ``until``."""
        pairs = zip(self._terms, self._at, strict=True)
        return (number for number, (term, at) in enumerate(pairs) if term in terms and since <= at < until)

    def matches(self, at: int, terms: set[int], since: int, until: int) -> bool:
        """Whether one row is among those of ``within``."""
        return self._terms[at] in terms and since <= self._at[at] < until

    @classmethod
    def unpack(cls, data: bytes) -> Rows:
        """The rows that ``pack`` wrote; raises FormatError."""
        at = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        head = parse_canonical_json(data[_LENGTH:at])
        if head.get("v") != _VERSION:
            raise FormatError("an index of another version")
        rows = cls(terms=[Terms(**item | {"fields": tuple(item["fields"])}) for item in head["terms"]])
        rows._numbers = {terms: number for number, terms in enumerate(rows.terms)}
        view = memoryview(data)
        for column, width in rows._columns():
            part = view[at : at + width * head["rows"]]
            at += len(part)
            if isinstance(column, array):
                column.frombytes(part)
                _little(column)
            else:
                column.extend(part)
        if at != len(data) or len(rows._handle) != HASH * head["rows"]:
            raise FormatError("an index with bytes missing or left over")
        return rows

    def pack(self) -> bytes:
        """uint32 length || canonical JSON of the terms || each column, numbers little-endian."""
        head = canonical_json({"v": _VERSION, "rows": len(self), "terms": [asdict(terms) for terms in self.terms]})
        columns = (
            _little(array(column.typecode, column)).tobytes() if isinstance(column, array) else column
            for column, _ in self._columns()
        )
        return b"".join((len(head).to_bytes(_LENGTH, "big"), head, *columns))

    def _columns(self) -> tuple[tuple[array[int] | bytearray, int], ...]:
        """Each column, and the bytes of one cell."""
        return (
            (self._index, 8),
            (self._at, 8),
            (self._terms, 4),
            (self._role, 1),
            (self._ids, _ID),
            (self._leaves, HASH),
            (self._ledger, HASH),
            (self._handle, HASH),
        )


def _little(column: array[int]) -> array[int]:
    """Turns the column where this machine's byte order is not the file's; gives it."""
    if sys.byteorder != "little":
        column.byteswap()
    return column
