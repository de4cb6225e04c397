"""The schema, brought to its newest step (gateway.migrations)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from gateway.storage.opening import open_database


def migrate(url: str) -> None:
    """Brings the database to the newest schema, in one transaction; makes it where there is none.

    Raises StorageUnavailableError where it cannot be opened or written.
    """
    database = open_database(url, durable=True)
    try:
        with database.writing(alone=True) as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations").replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.dispose()
