"""A change of another room's tables, made in the record's own transaction (gateway.change)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from gateway.errors import Refusal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gateway.change import Change


def make_change(connection: Connection, change: Change) -> None:
    """Writes a change in somebody's transaction; raises Refusal where it cannot be made, and the caller rolls back."""
    try:
        for statement in change.statements:
            touched = connection.exec_driver_sql(statement.text, statement.values).rowcount
            if statement.rows is not None and touched != statement.rows:
                raise Refusal(change.conflict)
        for row in change.added:
            connection.exec_driver_sql(f"{row.into} VALUES ({', '.join('?' * len(row.values))})", row.values)
    except IntegrityError:
        raise Refusal(change.conflict) from None
