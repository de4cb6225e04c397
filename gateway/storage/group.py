"""Group commit: many requests' entries in one transaction, without a thread of its own (DESIGN L4)."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.errors import PasserelleError, StorageUnavailableError
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from gateway.ports import Baton, Waiting

T = TypeVar("T")


class StorageError(PasserelleError):
    """The database is used in a way that cannot be safe, or a commit ended without a result."""


class _Ticket(Generic[T]):
    __slots__ = ("done", "entry", "error", "given", "wake")

    def __init__(self, entry: T, wake: Baton) -> None:
        self.entry = entry
        self.done = False
        self.given = False  # the lead, while it stands in the queue
        self.error: Exception | None = None
        self.wake = wake


class GroupCommit(Generic[T]):
    """Many requests' entries in one transaction, without a thread of its own.

    The first to come leads: it takes the turn, commits all that has queued by then, wakes those whose entries
    are in, and hands the lead to the first that came meanwhile. Each waits for a baton of its own, so that nobody
    wakes for nothing.
    ``write`` commits a batch and gives one result per entry, in order: None, or why that entry is not in.
    ``turn`` is held while it does, where writers of other processes have to be waited for.
    If ``write`` raises, nothing of the batch is in, and each entry is tried alone; but if the database itself is not
    to be had, all of them have waited enough.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[Exception | None]],
        *,
        turn: AbstractContextManager[None] | None = None,
        waiting: Waiting | None = None,
        eagerly: Callable[[Callable[[], None]], bool] | None = None,
        limit: int = 256,
    ) -> None:
        self._write = write
        self._turn = nullcontext() if turn is None else turn
        self._waiting = waiting or Threads()
        self._eagerly = eagerly
        self._limit = limit
        self._lock = threading.Lock()
        self._queue: deque[_Ticket[T]] = deque()
        self._led = False

    def commit(self, entry: T) -> None:
        """Returns when the entry is committed; raises what kept it out."""
        ticket = _Ticket(entry, self._waiting.baton())
        with self._lock:
            self._queue.append(ticket)
            waits, self._led = self._led, True
        if waits:
            try:
                ticket.wake.acquire()  # woken when done, or to lead
            except BaseException:
                self._leave(ticket)
                raise
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _leave(self, ticket: _Ticket[T]) -> None:
        """Who is torn away while it waits must not be made the leader that everybody waits for."""
        heir: _Ticket[T] | None = None
        with self._lock:
            if ticket in self._queue:
                first = self._queue[0] is ticket
                self._queue.remove(ticket)
                if first and ticket.given:
                    heir = self._queue[0] if self._queue else None
                    self._led = heir is not None
        if heir is not None:
            self._give_lead(heir)

    @staticmethod
    def _give_lead(heir: _Ticket[T]) -> None:
        heir.given = True
        heir.wake.release()

    def _lead(self) -> None:
        batch: list[_Ticket[T]] = []
        try:
            if self._eagerly is not None:
                self._waiting.pause(0)  # whoever is as far already comes along
            if self._eagerly is None or not self._eagerly(lambda: self._write_taken(batch)):
                self._waiting.blocking(lambda: self._commit(batch))
        finally:
            with self._lock:
                if not batch:  # the turn could not be taken: nobody who waits for this lead may wait for ever
                    batch += self._queue
                    self._queue.clear()
                heir = self._queue[0] if self._queue else None
                self._led = heir is not None
            for ticket in batch:
                if not ticket.done:
                    # a leader that is torn away (SystemExit in a worker) must not leave the others waiting
                    ticket.error = StorageError("the commit ended without a result")
                    ticket.done = True
                ticket.wake.release()
            if heir is not None:
                self._give_lead(heir)

    def _commit(self, batch: list[_Ticket[T]]) -> None:
        with self._turn:
            # only now, so that whoever came while the turn was waited for is in as well
            self._take(batch)
            self._settle(batch)

    def _write_taken(self, batch: list[_Ticket[T]]) -> None:
        """In haste: what fails here is not told to anybody, since the patient way tries it again."""
        self._take(batch)
        results = self._write([ticket.entry for ticket in batch])
        for ticket, result in zip(batch, results, strict=True):
            ticket.error = result
            ticket.done = True

    def _take(self, batch: list[_Ticket[T]]) -> None:
        with self._lock:
            batch += [self._queue.popleft() for _ in range(min(len(self._queue), self._limit - len(batch)))]

    def _settle(self, batch: Sequence[_Ticket[T]]) -> None:
        results: Sequence[Exception | None]
        try:
            results = self._write([ticket.entry for ticket in batch])
        except StorageUnavailableError as error:
            # one for each: an exception that is raised in many places gathers all of their places
            results = [StorageUnavailableError(*error.args) for _ in batch]
        except Exception as error:  # noqa: BLE001 - whatever kept the batch out is given to the entry's own thread
            if len(batch) > 1:
                for ticket in batch:
                    self._settle([ticket])
                return
            results = [error]
        for ticket, result in zip(batch, results, strict=True):
            ticket.error = result
            ticket.done = True
