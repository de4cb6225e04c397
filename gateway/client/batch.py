"""A file of NIRECs verified record by record, through the gateway: begun, stopped, taken up again, reported.

    opened   the file is read once: rejects written apart, the others counted and committed to; the batch is opened
    run      read again, compared with the commitment, then record by record from where the results end

No NIREC is kept: the file has them, and is read again. What is asked is in memory only while it is under way.
"""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gateway.client.batch_file import REFERENCE_NIREC, FileRecord, Reject, read_records
from gateway.client.batch_gate import Gate, Rate, StoppedError
from gateway.client.batch_journal import BatchState, commitment, opening_key
from gateway.client.batch_wire import BatchRefusedError, LaterError
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from gateway.client.batch_journal import Journal, JournalWriter
    from gateway.client.batch_wire import Result
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from gateway.ports import Clock, Randomness

OPEN, GET = "batch.open", "batch.get"
_OK = 200
#: For each connection so many records may be answered, or under way, before the first of them is written.
_AHEAD = 8
_LOOK_SECONDS = 0.2


class Wire(Protocol):
    """One connection."""

    def ask(self, place: int, record: FileRecord) -> Result:
        """A record's result; raises LaterError, BatchRefusedError, AnswerError."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


class Asker(Protocol):
    """client.PartyClient, as far as a batch is opened by it and its report asked for."""

    def prepare(
        self, operation: str, fields: dict[str, Any], *, salted: bool, idempotency_key: str | None = None
    ) -> SignedRequest:
        """The signed request; ``idempotency_key`` is that of the request which this one repeats, if any."""
        ...

    def send(self, request: SignedRequest) -> VerifiedAnswer:
        """The verified answer; raises UnreachableError, AnswerError."""
        ...

    def keep(self, request: SignedRequest, answer: VerifiedAnswer, receipts: Path) -> Path:
        """Keeps the answer as a receipt; gives its path."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: results written of all records, and what is waited for, if anything."""

    done: int
    records: int
    waiting: str | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the file's records must be, and how a reject's reason is said in French and in English."""

    nirec: str
    words: Callable[[str], tuple[str, str]]


def open_batch(journal: Journal, client: Asker, pattern: Pattern, randomness: Randomness) -> BatchState:
    """Reads the whole file once, writes its rejects, and opens its batch.

    Raises ConfigurationError (a file without a record, a batch that was begun), BatchRefusedError, UnreachableError,
    AnswerError.
    """
    if journal.state() is not None:
        raise ConfigurationError("batch_begun", path=journal.file)
    rejected = referring = 0

    def good() -> Iterator[FileRecord]:
        nonlocal rejected, referring
        for one in read_records(journal.file, pattern.nirec):
            if isinstance(one, FileRecord):
                yield one
            else:
                rejected += 1
                referring += one.reason == REFERENCE_NIREC

    code, records = commitment(journal.key(randomness.bytes), good())
    if not records and referring and referring == rejected:
        raise ConfigurationError("batch_references", path=journal.file, rejected=rejected)
    if not records:
        raise ConfigurationError("batch_empty", path=journal.file, rejected=rejected)
    journal.write_rejects(
        (one, *pattern.words(one.reason))
        for one in read_records(journal.file, pattern.nirec)
        if isinstance(one, Reject)
    )
    fields = {"records": records, "rejected": rejected, "commitment": code}
    # of this file, whoever is stopped before the answer is noted opens the same batch, and not another beside it
    said = _ask(client, OPEN, fields, opening_key(journal.key(), code, rejected))[1]
    state = BatchState(str(said["batch"]), records, rejected, code, int(str(said["per_second"])))
    journal.begin(state)
    return state


def report(client: Asker, batch: str) -> tuple[VerifiedAnswer, Mapping[str, object], Callable[[Path], Path]]:
    """The gateway's signed report, its fields, and how it is kept as a receipt in a folder.

    Raises BatchRefusedError, UnreachableError, AnswerError.
    """
    return _ask(client, GET, {"batch": batch})


def _ask(
    client: Asker, operation: str, fields: dict[str, object], idempotency_key: str | None = None
) -> tuple[VerifiedAnswer, Mapping[str, object], Callable[[Path], Path]]:
    request = client.prepare(operation, fields, salted=False, idempotency_key=idempotency_key)
    answer = client.send(request)
    said = json.loads(answer.body)
    if answer.status != _OK:
        raise BatchRefusedError.of(answer)
    return answer, said, lambda folder: client.keep(request, answer, folder)


class BatchRun:
    """One run of a batch, in threads of its own; the journal is held by whoever makes it."""

    def __init__(
        self,
        journal: Journal,
        state: BatchState,
        pattern: Pattern,
        wire: Callable[[], Wire],
        clock: Clock,
        randomness: Randomness,
        *,
        connections: int,
        per_second: float,
        patience: float,
    ) -> None:
        """``patience``: seconds without any answer after which it stops, to be taken up again."""
        self._journal = journal
        self._state = state
        self._pattern = pattern
        self._wire = wire
        self._connections = connections
        self._patience = patience
        self._stop = threading.Event()
        self._gate = Gate(clock, randomness, self._stop)
        self._rate = Rate(per_second, clock, self._stop)
        self._work: queue.Queue[tuple[int, FileRecord]] = queue.Queue(connections)
        self._fed = threading.Event()
        self._slots = threading.Semaphore(connections * _AHEAD)
        self._error: Exception | None = None
        self._first = 0
        self._writer: JournalWriter | None = None
        self._main = threading.Thread(target=self._run, name="batch", daemon=True)

    def start(self) -> None:
        """Compares the file with what was opened, then begins where the results end.

        Raises ConfigurationError (batch_file_changed).
        """
        journal, state = self._journal, self._state
        good = (one for one in read_records(journal.file, self._pattern.nirec) if isinstance(one, FileRecord))
        if commitment(journal.key(), good) != (state.commitment, state.records):
            raise ConfigurationError("batch_file_changed", path=journal.file)
        journal.mend()
        self._first = sum(journal.counts().values())
        self._main.start()

    def stop(self) -> None:
        """Ends it soon: what is under way is let come in, nothing more is asked."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within these seconds."""
        self._main.join(seconds)
        return not self._main.is_alive()

    def progress(self) -> Progress:
        """How far it is; ends it where nobody has answered for longer than its patience."""
        if self._gate.failing_for() > self._patience:
            self._stop.set()
        return Progress(self._done(), self._state.records, self._gate.reason)

    def result(self) -> bool:
        """Whether each record has its result; raises what ended the run, if anything but a stop did."""
        if self._error is not None:
            raise self._error
        return self._done() == self._state.records

    def _done(self) -> int:
        return self._first if self._writer is None else self._writer.place

    def _run(self) -> None:
        try:
            with self._journal.writer(self._first) as writer:
                self._writer = writer
                threads = [
                    threading.Thread(target=self._work_off, args=(writer,), name=f"batch-{number}", daemon=True)
                    for number in range(self._connections)
                ]
                for thread in threads:
                    thread.start()
                try:
                    self._feed()
                finally:
                    self._fed.set()
                    for thread in threads:
                        thread.join()
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001  told by result(), in the thread that shows it
            self._fail(error)

    def _feed(self) -> None:
        good = (one for one in read_records(self._journal.file, self._pattern.nirec) if isinstance(one, FileRecord))
        for place, record in enumerate(good):
            if place < self._first:
                continue
            self._rate.wait()
            while not self._slots.acquire(timeout=_LOOK_SECONDS):
                self._check()
            self._put((place, record))

    def _put(self, work: tuple[int, FileRecord]) -> None:
        while True:
            try:
                self._work.put(work, timeout=_LOOK_SECONDS)
            except queue.Full:
                self._check()
            else:
                return

    def _check(self) -> None:
        if self._stop.is_set():
            raise StoppedError

    def _work_off(self, writer: JournalWriter) -> None:
        wire = self._wire()
        try:
            while not self._stop.is_set():
                try:
                    work = self._work.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if self._fed.is_set():
                        return
                else:
                    self._answer(wire, writer, *work)
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001  the same
            self._fail(error)
        finally:
            wire.close()

    def _answer(self, wire: Wire, writer: JournalWriter, place: int, record: FileRecord) -> None:
        while True:
            self._gate.enter()
            try:
                result = wire.ask(place, record)
            except LaterError as later:
                self._gate.fail(later.code, later.retry_after)
                continue
            self._gate.succeed()
            reject = None if result.refused is None else (*result.refused, record.text)
            if written := writer.add(place, result.row, reject):
                self._slots.release(written)
            return

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._stop.set()
