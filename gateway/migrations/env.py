"""Alembic's entry: runs the steps on the connection that gateway.storage.migrate hands over.

Alembic executes this file by its path; nothing else imports it.
"""

from __future__ import annotations

from alembic import context


def _run() -> None:
    context.configure(connection=context.config.attributes["connection"])
    with context.begin_transaction():
        context.run_migrations()


_run()
