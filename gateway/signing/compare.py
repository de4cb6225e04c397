"""A client's own signature base beside ours, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line in which two bases differ.

    Attributes:
        component: as its line names it, without quotes.
        key: value, missing (from theirs), extra (in theirs), order, line_ends, last_newline, not_ascii.
        ours, theirs: the two lines; None where there is none.
    """

    component: str
    key: str
    ours: str | None = None
    theirs: str | None = None


def compare_bases(ours: bytes, theirs: bytes) -> Difference | None:
    """Where a client's base first differs from ours; None where they are the same bytes."""
    if ours == theirs:
        return None
    whole = _whole(ours, theirs)
    return _lines(ours, theirs) if whole is None else Difference("base", whole)


def _whole(ours: bytes, theirs: bytes) -> str | None:
    if not theirs.isascii():
        return "not_ascii"
    if ours == theirs.replace(b"\r\n", b"\n"):
        return "line_ends"
    return "last_newline" if ours == theirs.replace(b"\r\n", b"\n").rstrip(b"\n") else None


def _lines(ours: bytes, theirs: bytes) -> Difference:
    mine, other = (text.replace(b"\r\n", b"\n").decode("ascii").split("\n") for text in (ours, theirs))
    pairs = [*zip_longest(mine, other)]
    our_line, their_line = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])
    our_name, their_name = _name(our_line), _name(their_line)
    if our_line is None or (their_line and their_name not in map(_name, mine)):
        return Difference(their_name, "extra", our_line, their_line)
    if our_name == their_name:
        return Difference(our_name, "value", our_line, their_line)
    key = "order" if our_name in map(_name, other) else "missing"
    return Difference(our_name, key, our_line, their_line)


def _name(row: str | None) -> str:
    return (row or "").partition(": ")[0].strip('"')
