"""SQLite: one file, one machine, one writer at a time (DESIGN, section 9; docs/decisions/0007)."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.errors import ConfigurationError, StorageUnavailableError
from gateway.storage.database import ConflictError, Database
from gateway.storage.group import GroupCommit, StorageError
from gateway.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from gateway.ports import Waiting
    from gateway.storage.database import Around, Execute, Write

T = TypeVar("T")

#: So long a writer waits for another program that has the database; whoever comes meanwhile waits for his turn
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


class SqliteDatabase(Database):
    """A Database in one file: durable is synchronous=FULL, and otherwise a commit waits for the next one that is."""

    def __init__(
        self, url: str, *, durable: bool, waiting: Waiting | None = None, around: Around | None = None
    ) -> None:
        """Raises ConfigurationError where the URL names no SQLite file."""
        super().__init__(waiting, around)
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

    @property
    def connected(self) -> int:
        """0: the database runs as long as the machine does."""
        return 0

    def run(self, now: datetime) -> None:
        """None: what was committed here is lost with the machine's own power only."""

    def is_there(self) -> bool:
        """Whether the file is there: SQLite would make an empty one."""
        return self.path.is_file()

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:  # noqa: ARG002  as whoever writes is
        """A transaction that may write; whoever has the turn to write is ``alone`` in any case."""
        self._check_process()
        with self.turn:
            try:
                with self._writer.begin() as connection:
                    yield connection
            except OperationalError as error:
                raise self._unavailable(error) from error
            self._trouble_until = 0.0

    def _grouped(self, write: Write[T], *, eager: bool) -> GroupCommit[T]:
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
        """One statement, straight to the driver, on a connection that is kept.

        In all, the thread gives the interpreter's lock away for the one step that does the work.
        """
        with self._straight() as connection:
            return connection.execute(statement, parameters).rowcount

    def write_together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> int:
        """Several statements between a BEGIN and a COMMIT, on the same connection."""
        with self._straight() as connection, _transaction(connection):
            changed = [connection.execute(text, values).rowcount for text, values in statements]
        return changed[0]

    def write_steps(self, work: Callable[[Execute], T], *, alone: Sequence[bytes]) -> T:  # noqa: ARG002  as whoever writes is
        """A transaction on the same connection; whoever has the turn to write is alone in any case."""
        with self._straight() as connection, _transaction(connection):
            return work(lambda statement, parameters: connection.execute(statement, parameters).fetchall())

    @contextmanager
    def _straight(self) -> Iterator[sqlite3.Connection]:
        """The connection that is kept for whoever has the turn."""
        self._check_process()
        with self.turn:
            try:
                if self._in_haste or monotonic() < self._trouble_until:
                    connection = self._hasty = self._hasty or self._connected(patience=0)
                else:
                    connection = self._direct = self._direct or self._connected(patience=PATIENCE_SECONDS)
                yield connection
                self._proven.add(connection)
            except sqlite3.OperationalError as error:
                raise self._unavailable(error) from error
            except sqlite3.IntegrityError as error:
                raise ConflictError(type(error).__name__) from error
            self._trouble_until = 0.0

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
        """A transaction that sees one state of the database."""
        self._check_process()
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StorageUnavailableError(type(error).__name__) from error

    def read(self, work: Callable[[Connection], T]) -> T:
        """On the spot: nobody is waited for."""
        with self.reading() as connection:
            return work(connection)

    def read_once(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of one statement, straight from the driver."""
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

    def scrub(self, table: str) -> None:
        """Makes the table's indices anew, and empties the write-ahead log.

        SQLite overwrites what is deleted, but a page that was split may keep a copy; the write-ahead log has the former
        values until it is emptied, which a reader can put off for a while.
        """
        with self.writing() as connection:
            connection.exec_driver_sql(f"REINDEX {table}")
        self.empty_log()

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

    def standbys(self) -> None:
        """None: a file has none."""

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


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures have rolled it back themselves
            connection.execute("ROLLBACK")
        raise
