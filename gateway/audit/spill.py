"""Rows that are too many for memory, dealt to parts on disk: what repeats lies in the same part (DESIGN L11)."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: Rows of a part, on average: what a process holds of them at once.
_PER_PART = 65_536
_MOST_PARTS = 256


class Spill:
    """Rows of one length, dealt to parts by their first byte, which must be one of a digest's.

    Rows that begin alike are in one part. A part holds some 65,536 rows, until there are 16 million.
    """

    def __init__(self, row_size: int, expected: int) -> None:
        """``expected``: how many rows there may be."""
        self._size = row_size
        self._parts = min(_MOST_PARTS, 1 + expected // _PER_PART)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # without a name: nothing is left behind, whatever ends the audit
        with ExitStack() as opening:
            self._files = [opening.enter_context(TemporaryFile()) for _ in range(self._parts)]
            self._stack = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, rows: bytes) -> None:
        """Takes rows, one behind the other."""
        if self._parts == 1:
            self._files[0].write(rows)
            return
        for at in range(0, len(rows), self._size):
            self._files[rows[at] % self._parts].write(rows[at : at + self._size])

    def parts(self) -> Iterator[bytes]:
        """Each part, its rows one behind the other, not sorted yet; none that is empty."""
        for file in self._files:
            file.seek(0)
            if rows := file.read():
                yield rows


def sorted_rows(rows: bytes, size: int) -> list[bytes]:
    """The rows of a part in their order."""
    return sorted(rows[at : at + size] for at in range(0, len(rows), size))
