"""The database beneath every room's storage: transactions, group commit, migrations; SQLite and PostgreSQL.

What lives here: how a transaction begins, waits and becomes durable. What may not: any room's table.
"""

from gateway.storage.change import make_change
from gateway.storage.database import Around, ConflictError, Database, Execute, Write
from gateway.storage.group import GroupCommit, StorageError
from gateway.storage.opening import check_server, is_postgresql, open_database, prober, session_lock
from gateway.storage.schema import migrate
from gateway.storage.standbys import Standbys

__all__ = [
    "Around",
    "ConflictError",
    "Database",
    "Execute",
    "GroupCommit",
    "Standbys",
    "StorageError",
    "Write",
    "check_server",
    "is_postgresql",
    "make_change",
    "migrate",
    "open_database",
    "prober",
    "session_lock",
]
