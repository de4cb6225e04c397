"""What every database is to those who use it: transactions, single statements, group commit (DESIGN, section 9)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from gateway.storage.group import GroupCommit, StorageError
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Connection

    from gateway.ports import Waiting
    from gateway.storage.standbys import Standbys

T = TypeVar("T")

#: Commits a batch and gives one result per entry, in order: None, or why that entry is not in.
Write: TypeAlias = "Callable[[Sequence[T]], Sequence[Exception | None]]"


#: One statement of a transaction, with ``?`` for its parameters: its rows, none where it gives none.
Execute: TypeAlias = "Callable[[str, Sequence[object]], list[tuple[Any, ...]]]"


class ConflictError(StorageError):
    """What may be there once is there already; nothing of the statement is in."""


class Around(Protocol):
    """Put around each group commit's own write, to count and time it."""

    def __call__(self, write: Write[T], /) -> Write[T]:
        """The write that is used in its place."""
        ...


class Database(ABC):
    """One process's connections to a database; made after the fork, ``dispose()`` of it at the end.

    With ``durable``, what is committed has reached the disk when the commit returns. Without it, a commit is
    seen by all processes at once and reaches the disk with the next durable commit of any of them, since they
    share one write-ahead log (DESIGN L4).

    ``shared`` ends a SELECT as text whose rows nobody may change until the transaction ends.
    SQL that is written as text has ``?`` for its parameters, on every database.
    """

    shared = ""

    def __init__(self, waiting: Waiting | None, around: Around | None) -> None:
        #: How whoever uses this database waits for it.
        self.waiting = waiting or Threads()
        self._around = around

    def group(self, write: Write[T], *, eager: bool = False) -> GroupCommit[T]:
        """A group commit of this database's own; an eager one commits on the spot where nobody must be waited for."""
        return self._grouped(write if self._around is None else self._around(write), eager=eager)

    @abstractmethod
    def _grouped(self, write: Write[T], *, eager: bool) -> GroupCommit[T]: ...

    @abstractmethod
    def is_there(self) -> bool:
        """Whether there can be a database at all, without making one."""

    @abstractmethod
    def writing(self, *, alone: bool = False) -> AbstractContextManager[Connection]:
        """A transaction that may write; committed when the block ends, rolled back when it raises.

        With ``alone``, no other such transaction goes on meanwhile, so that what is looked up stays true until it ends.
        Raises StorageUnavailableError when the database is locked, full, read-only or out of reach.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the database and waits for no writer.

        Raises StorageUnavailableError when it cannot be read.
        """

    @abstractmethod
    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` makes of such a transaction, without keeping a worker's loop from serving others."""

    @abstractmethod
    def write_once(self, statement: str, parameters: Sequence[object]) -> int:
        """One statement as a transaction of its own, committed when this returns; gives the rows it changed.

        Raises StorageUnavailableError or ConflictError; nothing of the statement is in then, unless the disk itself,
        or the connection, failed during the commit.
        """

    @abstractmethod
    def write_steps(self, work: Callable[[Execute], T], *, alone: Sequence[bytes]) -> T:
        """What ``work`` gives, its statements one transaction straight to the driver, committed when this returns.

        Meanwhile nobody else goes on who names one of these keys (at least 8 bytes each, in one order for all), so that
        what is read stays true until it ends.
        Raises StorageUnavailableError; nothing is in then, as with ``write_once``.
        """

    @abstractmethod
    def write_together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> int:
        """As ``write_once`` with several statements, none of which rests on what another does: all are in, or none.

        Gives the rows that the first one changed.
        """

    @abstractmethod
    def read_once(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of one statement, which sees a state of its own; at a tenth of the cost of ``reading``."""

    @abstractmethod
    def scrub(self, table: str) -> None:
        """Leaves in the table's own files no trace of what was deleted or rewritten in it, as far as that can be."""

    @abstractmethod
    def run(self, now: datetime) -> tuple[bytes, datetime] | None:
        """The name of the server's present run, and when it was first seen; None where it is the machine's own run.

        What was committed without being durable may have been lost between one run and the next.
        """

    @property
    @abstractmethod
    def connected(self) -> int:
        """How many connections were ever made to a server that may have another run than before; 0 where none can."""

    @abstractmethod
    def standbys(self) -> Standbys | None:
        """The standbys that its commits wait for; None where there cannot be any. Raises StorageUnavailableError."""

    @abstractmethod
    def dispose(self) -> None:
        """Closes every connection."""
