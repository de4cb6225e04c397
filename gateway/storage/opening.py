"""Which database a URL means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from gateway.ports import Waiting
    from gateway.storage.advisory import Prober, SessionLock
    from gateway.storage.database import Around, Database


_DURABLE = "SELECT current_setting('fsync'), current_setting('synchronous_standby_names')"


def open_database(url: str, *, durable: bool, waiting: Waiting | None = None, around: Around | None = None) -> Database:
    """One process's connections; nothing is connected yet.

    Args:
        url: ``sqlite:///PATH``, or PostgreSQL's own ``postgresql://...`` (libpq), with several hosts where there are.
        durable: whether a commit has reached the disk when it returns.
        waiting: how whoever uses it waits; plain threads otherwise.
        around: put around each group commit's write.

    Raises:
        ConfigurationError: the URL is neither, or what PostgreSQL needs is not installed.
    """
    if not is_postgresql(url):
        return SqliteDatabase(url, durable=durable, waiting=waiting, around=around)
    try:
        from gateway.storage.postgresql import PostgresqlDatabase  # noqa: PLC0415  its driver is an extra
    except ImportError:
        raise ConfigurationError("postgresql_not_installed") from None
    return PostgresqlDatabase(url, durable=durable, waiting=waiting, around=around)


def session_lock(url: str, name: str) -> SessionLock | None:
    """A server's lock of this name, held over a connection of its own; None while another has it.

    Raises StorageUnavailableError, or ConfigurationError as ``open_database`` does.
    """
    try:
        from gateway.storage.advisory import SessionLock  # noqa: PLC0415  its driver is an extra
    except ImportError:
        raise ConfigurationError("postgresql_not_installed") from None
    return SessionLock.attempt(url, name)


def prober(url: str) -> Prober:
    """Takes a server's locks that nobody holds, all over one connection; raises ConfigurationError."""
    try:
        from gateway.storage.advisory import Prober  # noqa: PLC0415  its driver is an extra
    except ImportError:
        raise ConfigurationError("postgresql_not_installed") from None
    return Prober(url)


def is_postgresql(url: str) -> bool:
    """Whether several machines can share the database that this names."""
    return url.startswith(("postgresql://", "postgres://"))


def check_server(url: str, *, standbys: bool) -> None:
    """What a server must be for its commits to be durable; of a file, nothing is asked.

    With ``standbys``, one that waits for a synchronous standby. Raises ConfigurationError, StorageUnavailableError.
    """
    if not is_postgresql(url):
        return
    database = open_database(url, durable=True)
    try:
        [(fsync, names)] = database.read_once(_DURABLE, ())
    finally:
        database.dispose()
    if fsync != "on":
        raise ConfigurationError("fsync_off")
    if standbys and not names.strip():
        raise ConfigurationError("standbys_missing")
