"""PostgreSQL: one database, several machines, many writers at a time (DESIGN, section 9; docs/decisions/0018)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError

from gateway.errors import StorageUnavailableError
from gateway.storage.database import ConflictError, Database
from gateway.storage.group import GroupCommit, StorageError
from gateway.storage.limit import Limit
from gateway.storage.session import Session, connect
from gateway.storage.standbys import STANDBYS, Standbys, standbys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from gateway.ports import Waiting
    from gateway.storage.database import Around, Execute, Write

T = TypeVar("T")

_CONNECTIONS_KEPT = 8
#: The key of the lock that whoever writes alone holds until the end of his transaction.
_ALONE = 0x7061_7373_6572_656C
_RUN = "SELECT name, began FROM runs"
_FIRST_SEEN = "INSERT INTO runs (id, name, began) VALUES (1, gen_random_uuid()::text, ?) ON CONFLICT DO NOTHING"
#: What is to be tried again later, as SQLAlchemy and as the driver tell it: a server that is away, restarts, only reads
#: or has no room; a lock that another one has for too long; a table that is not there.
_PASSING = (OperationalError, InterfaceError, InternalError, ProgrammingError)
_PASSING_DIRECT = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, psycopg.ProgrammingError)


class PostgresqlDatabase(Database):
    """A Database on a server: durable is synchronous_commit=on, which waits for the synchronous standbys too.

    Otherwise a commit is in the server's write-ahead log in memory, before that of any durable commit after it.
    A commit that was not replicated, though it was to be, counts as failed (gateway.storage.session).
    """

    shared = " FOR SHARE"

    def __init__(
        self, url: str, *, durable: bool, waiting: Waiting | None = None, around: Around | None = None
    ) -> None:
        super().__init__(waiting, around)
        self._url = url
        self._durable = durable
        # what is not durable waits for no standby
        self._limit = Limit() if durable else None
        self._process = os.getpid()
        self._connected = 0
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=_CONNECTIONS_KEPT,
            max_overflow=-1,
            pool_use_lifo=True,
            pool_pre_ping=True,
            use_native_hstore=False,
            hide_parameters=True,
        )
        event.listen(self._engine, "before_cursor_execute", _with_our_placeholders, retval=True)
        self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._idle: list[Session] = []

    @property
    def connected(self) -> int:
        """How many connections were made: whoever sees the number unchanged has spoken to one run of the server."""
        return self._connected

    def run(self, now: datetime) -> tuple[bytes, datetime]:
        """Known by a table that is not logged: a crash empties it, and a standby that is promoted never had it."""
        with self.writing() as connection:
            row = connection.exec_driver_sql(_RUN).one_or_none()
            if row is None:
                connection.exec_driver_sql(_FIRST_SEEN, (now.astimezone(UTC).isoformat(),))
                row = connection.exec_driver_sql(_RUN).one()
        return row.name.encode(), datetime.fromisoformat(row.began)

    def is_there(self) -> bool:
        """True: a server is asked, or it is not reached."""
        return True

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:
        """A transaction that may write: each statement sees what others have committed by then."""
        self._check_process()
        self._check_limit()
        try:
            with self._engine.begin() as connection:
                if alone:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(?)", (_ALONE,))
                yield connection
        except _PASSING as error:
            raise StorageUnavailableError(type(error.orig).__name__) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        self._check_process()
        try:
            with self._reader.begin() as connection:
                yield connection
        except _PASSING as error:
            raise StorageUnavailableError(type(error.orig).__name__) from error

    def read(self, work: Callable[[Connection], T]) -> T:
        """In a thread where a worker's loop asks: the server may be far, or away."""

        def asked() -> T:
            with self.reading() as connection:
                return work(connection)

        return self.waiting.blocking(asked)

    def write_once(self, statement: str, parameters: Sequence[object]) -> int:
        """One statement and its commit, in one message to the server and one back."""
        self._check_limit()
        try:
            with self._session() as session, session.bounded():
                changed = session.execute(placeholders(statement), parameters).rowcount
                session.check_replicated()
        except psycopg.IntegrityError as error:
            raise ConflictError(type(error).__name__) from error
        return changed

    def write_steps(self, work: Callable[[Execute], T], *, alone: Sequence[bytes]) -> T:
        """Its locks in one message, taken in their order and given back with the commit; then its statements."""
        self._check_limit()
        with self._session() as session, session.bounded(), session.transaction():
            if alone:
                locks = ", ".join(["pg_advisory_xact_lock(%s)"] * len(alone))
                session.execute(f"SELECT {locks}", [int.from_bytes(key[:8], signed=True) for key in alone])
            given = work(lambda statement, parameters: _rows(session.execute(placeholders(statement), parameters)))
        session.check_replicated()
        return given

    def write_together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> int:
        """All in one statement, and so in one message: the others stand before the first, WITH which they go."""
        (first, values), *others = statements
        beside = ", ".join(f"also_{number} AS ({text})" for number, (text, _) in enumerate(others))
        return self.write_once(f"WITH {beside} {first}", [one for _, each in others for one in each] + [*values])

    def read_once(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of one statement, in a thread where a worker's loop asks."""

        def asked() -> list[tuple[Any, ...]]:
            with self._session() as session:
                return session.execute(placeholders(statement), parameters).fetchall()

        return self.waiting.blocking(asked)

    def scrub(self, table: str) -> None:
        """Writes the table and its indices anew; whoever uses it waits meanwhile.

        The server's write-ahead log, its archive and its standbys' have their own copies (docs/guides).
        """
        with self._session() as session:
            session.execute(psycopg.sql.SQL("VACUUM (FULL) {}").format(psycopg.sql.Identifier(table)))

    def standbys(self) -> Standbys:
        """As the server sees them."""
        [row] = self.read_once(STANDBYS, ())
        return standbys(*row)

    def dispose(self) -> None:
        """Closes every connection."""
        if self._limit is not None:
            self._limit.close()
        idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        self._engine.dispose()

    def _grouped(self, write: Write[T], *, eager: bool) -> GroupCommit[T]:  # noqa: ARG002  the server is always waited for
        return GroupCommit(write, waiting=self.waiting)

    def _connect(self) -> Session:
        session = connect(self._url, durable=self._durable)
        session.limit = self._limit
        self._connected += 1  # before it is used: whoever looks afterwards sees that it was made
        return session

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A connection without transactions of ours, kept unless it fails."""
        self._check_process()
        try:
            session = self._taken()
            try:
                yield session
            except psycopg.IntegrityError:
                self._idle.append(session)
                raise
            except BaseException:
                session.close()
                raise
        except _PASSING_DIRECT as error:
            raise StorageUnavailableError(type(error).__name__) from error
        self._idle.append(session)

    def _taken(self) -> Session:
        while self._idle:
            try:
                session = self._idle.pop()
            except IndexError:  # another thread has taken the last one
                break
            if session.is_alive():
                return session
            session.close()
        session = self._connect()
        session.autocommit = True
        return session

    def _check_limit(self) -> None:
        if self._limit is not None:
            self._limit.check()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StorageError("a Database was carried over a fork; make it in the process that uses it")


def _rows(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [] if cursor.description is None else cursor.fetchall()


@lru_cache(maxsize=2048)
def placeholders(statement: str) -> str:
    """The statement with the driver's own signs for its parameters: ours are ``?``, on every database."""
    return statement.replace("%", "%%").replace("?", "%s")


def _with_our_placeholders(
    _connection: object, _cursor: object, statement: str, parameters: object, context: Any, _many: object
) -> tuple[str, object]:
    """What was written as text, by us; what SQLAlchemy has compiled is the driver's own already."""
    if context is None or context.compiled is None:
        statement = placeholders(statement)
    return statement, parameters
