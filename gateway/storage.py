"""The database beneath every room's storage.py: transactions, group commit, migrations.

What lives here: how a transaction begins, waits and becomes durable. What may not: any room's table.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from gateway.errors import ConfigurationError, PasserelleError, Refusal, StorageUnavailableError
from gateway.turn import Turn
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from gateway.change import Change
    from gateway.ports import Baton, Waiting

T = TypeVar("T")

#: How long a writer who has the turn waits for a foreign program that holds the database; whoever is next waits
#: behind him for as long again, so this is what bounds a caller's wait.
PATIENCE_SECONDS = 1.0
#: For so long after such a wait was in vain, nobody waits again: those who come are refused at once.
_TROUBLE_SECONDS = 3.0
_READ_TIMEOUT_SECONDS = 1.0
#: The part of SQLite's result codes that says what it is; the rest says of which kind.
_PRIMARY = 0xFF
_BEGIN = "passerelle_begin"
_STATEMENTS_KEPT = 512
#: What is deleted or rewritten is overwritten in the file too: a copy made later must not hold it (N2).
_PRAGMAS = ("journal_mode=WAL", "foreign_keys=ON", "cache_size=-16000", "secure_delete=ON")
_EMPTY_TRIES, _EMPTY_PATIENCE, _EMPTY_PAUSE = 30, 0.02, 0.05


class StorageError(PasserelleError):
    """The database is used in a way that cannot be safe, or a commit ended without a result."""


class Database:
    """One process's connections to the database; make it after the fork, ``dispose()`` of it at the end.

    With ``durable``, a commit has reached the disk when it returns (synchronous=FULL). Without it, a commit is
    seen by all processes at once and reaches the disk with the next durable commit of any of them, since
    they share one write-ahead log (DESIGN L4).
    """

    def __init__(self, url: str, *, durable: bool, waiting: Waiting | None = None) -> None:
        self.waiting = waiting or Threads()
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError("database_not_sqlite")
        self.path = Path(parsed.database)
        self._process = os.getpid()
        self._synchronous = "FULL" if durable else "NORMAL"
        self.turn = Turn(self.path.with_name(self.path.name + ".turn"))
        # one writer at a time holds the turn; readers are as many as there are threads
        self._engine = create_engine(
            parsed,
            pool_size=16,
            max_overflow=-1,
            pool_use_lifo=True,
            connect_args={"timeout": _READ_TIMEOUT_SECONDS},
        )
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", self._begin)
        self._writer = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        self._direct: sqlite3.Connection | None = None
        self._hasty: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._proven: set[sqlite3.Connection | None] = set()
        # both changed and read by whoever has the turn
        self._in_haste = False
        self._trouble_until = 0.0

    def _prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own; _begin does
        cursor = connection.cursor()
        for pragma in (*_PRAGMAS, f"synchronous={self._synchronous}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; committed when the block ends, rolled back when it raises.

        Raises StorageUnavailableError when the database is locked, full, read-only or out of reach.
        """
        self._check_process()
        with self.turn:
            try:
                with self._writer.begin() as connection:
                    yield connection
            except OperationalError as error:
                raise self._unavailable(error) from error
            self._trouble_until = 0.0

    def group(
        self, write: Callable[[Sequence[T]], Sequence[Exception | None]], *, eager: bool = False
    ) -> GroupCommit[T]:
        """A group commit of this database's own; an eager one commits on the spot where nobody has the turn."""
        return GroupCommit(write, turn=self.turn, waiting=self.waiting, eagerly=self._at_once if eager else None)

    def _at_once(self, work: Callable[[], None]) -> bool:
        """Does what uses ``write_once`` if it need not wait for anybody; False, and nothing is in, otherwise."""
        if not self.turn.take_if_free():
            return False
        self._in_haste = True
        try:
            work()
        except (sqlite3.Error, DBAPIError, StorageUnavailableError):
            return False  # another program has the database, or it fails: the patient way will tell
        finally:
            self._in_haste = False
            self.turn.__exit__()
        return True

    def write_once(self, statement: str, parameters: Sequence[object]) -> int:
        """One statement as a transaction of its own, committed when this returns; gives the rows it changed.

        Straight to the driver, on a connection that is kept: in all, the thread gives the interpreter's lock away
        for the one step that does the work. Raises StorageUnavailableError or sqlite3.Error; nothing of the statement
        is in then, unless the disk itself failed during the commit.
        """
        self._check_process()
        with self.turn:
            try:
                if self._in_haste or monotonic() < self._trouble_until:
                    connection = self._hasty = self._hasty or self._connected(patience=0)
                else:
                    connection = self._direct = self._direct or self._connected(patience=PATIENCE_SECONDS)
                changed = connection.execute(statement, parameters).rowcount
                self._proven.add(connection)
            except sqlite3.OperationalError as error:
                raise self._unavailable(error) from error
            self._trouble_until = 0.0
        return changed

    def _unavailable(self, error: Exception) -> StorageUnavailableError:
        if not self._in_haste:
            self._trouble_until = monotonic() + _TROUBLE_SECONDS
        if getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & _PRIMARY != sqlite3.SQLITE_BUSY:
            # What was opened while the file was read-only would stay so for good. What has written before is kept: were
            # all closed and opened again now, their shared memory would be read-only for the whole process.
            self._drop(self._proven)
        return StorageUnavailableError(type(error).__name__)

    def _begin(self, connection: Connection) -> None:
        statement = str(connection.get_execution_options().get(_BEGIN, "BEGIN"))
        if statement != "BEGIN":
            waits = not self._in_haste and monotonic() >= self._trouble_until
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * PATIENCE_SECONDS) if waits else 0}")
        connection.exec_driver_sql(statement)

    def _connected(self, *, patience: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,  # one thread at a time: whoever has the turn
            cached_statements=_STATEMENTS_KEPT,
        )
        self._prepare(connection, None)
        if not patience:
            # in haste nobody copies the log into the database, which syncs: the patient do it
            connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and waits for no writer.

        Raises StorageUnavailableError when it cannot be read.
        """
        self._check_process()
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StorageUnavailableError(type(error).__name__) from error

    def read_once(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of one statement, which sees a state of its own: straight from the driver, a tenth of the cost."""
        self._check_process()
        try:
            try:
                connection = self._readers.pop()
            except IndexError:  # all are in other threads' hands
                connection = self._connected(patience=_READ_TIMEOUT_SECONDS)
            rows = connection.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise StorageUnavailableError(type(error).__name__) from error
        self._readers.append(connection)
        return rows

    def empty_log(self) -> bool:
        """Brings the write-ahead log into the file and empties it, as soon as nobody reads; False after two seconds."""
        self._check_process()
        with closing(self._connected(patience=_EMPTY_PATIENCE)) as connection:
            for _ in range(_EMPTY_TRIES):
                with self.turn:  # whoever writes waits behind it: not for long, whoever reads
                    if not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                        return True
                self.waiting.pause(_EMPTY_PAUSE)
        return False

    def dispose(self) -> None:
        """Closes every connection."""
        self._drop()
        self.turn.close()

    def _drop(self, kept: Container[sqlite3.Connection | None] = ()) -> None:
        readers, self._readers = self._readers, []
        for connection in (self._direct, self._hasty, *readers):
            if connection is not None and connection not in kept:
                connection.close()
        self._direct = self._direct if self._direct in kept else None
        self._hasty = self._hasty if self._hasty in kept else None
        self._engine.dispose()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StorageError("a Database was carried over a fork; make it in the process that uses it")


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
    If ``write`` raises, nothing of the batch is in, and each entry is tried alone; but if the database itself is not
    to be had, all of them have waited enough.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[Exception | None]],
        *,
        turn: AbstractContextManager[None],
        waiting: Waiting | None = None,
        eagerly: Callable[[Callable[[], None]], bool] | None = None,
        limit: int = 256,
    ) -> None:
        self._write = write
        self._turn = turn
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


def make_change(connection: Connection, change: Change) -> None:
    """Writes a change in somebody's transaction; raises Refusal where it cannot be made, and the caller rolls back."""
    try:
        for statement in change.statements:
            touched = connection.exec_driver_sql(statement.text, statement.values).rowcount
            if statement.rows is not None and touched != statement.rows:
                raise Refusal(change.conflict)
    except IntegrityError:
        raise Refusal(change.conflict) from None


def migrate(url: str) -> None:
    """Brings the database to the newest schema, in one transaction; makes it where there is none.

    Raises StorageUnavailableError where the file cannot be opened or written.
    """
    database = Database(url, durable=True)
    try:
        with database.writing() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.dispose()
