"""The tables of a ledger on a database of their own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.ledger.storage.log import Log
from gateway.ledger.storage.policy_rows import PolicyRows
from gateway.ledger.storage.records import Records
from gateway.storage import migrate, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def opened(url: str, resolve: Callable[[str], bytes]) -> Iterator[tuple[Records, Log]]:
    """The tables of a ledger for one process alone, at the newest schema; made where there are none."""
    migrate(url)
    database = open_database(url, durable=True)
    try:
        yield Records(database, resolve), Log(database)
    finally:
        database.dispose()


def connected(url: str) -> tuple[Records, PolicyRows, Callable[[], None]]:
    """The tables of a ledger that others use too, for acts about the policy; the last part gives them back."""
    database = open_database(url, durable=True)
    return Records(database, dict[str, bytes]().__getitem__), PolicyRows(database), database.dispose
