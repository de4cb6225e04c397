"""The database beneath every room's storage: transactions, group commit, migrations.

What lives here: how a transaction begins, waits and becomes durable. What may not: any room's table.
"""

from gateway.storage.change import make_change
from gateway.storage.group import GroupCommit, StorageError
from gateway.storage.schema import migrate
from gateway.storage.sqlite import Database

__all__ = ["Database", "GroupCommit", "StorageError", "make_change", "migrate"]
