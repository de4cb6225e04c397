"""From the first schema to subjects over time: what is there keeps its generation, and nobody is lost (N2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

import gateway.migrations
from gateway.keys.names import nirec_key
from gateway.model import Nirec
from gateway.nirec.found import Generation
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseRotation
from gateway.storage import migrate
from gateway.storage.sqlite import SqliteDatabase
from tests.nirec.test_subjects import NIREC, MacKeys, directory, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest


@pytest.fixture
def first(tmp_path: Path) -> Iterator[SqliteDatabase]:
    """A database of the first schema."""
    database = SqliteDatabase(f"sqlite:///{tmp_path / 'old.sqlite'}", durable=True)
    with database.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(gateway.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    yield database
    database.dispose()


@pytest.mark.parametrize("generation", [0, 2])
def test_a_table_of_any_generation_goes_on_under_it(first: SqliteDatabase, generation: int) -> None:
    values = PseudonymChain(MacKeys(), nirec_key).values(Nirec(NIREC), generation)
    with first.writing() as connection:
        connection.exec_driver_sql("INSERT INTO subjects VALUES (?, '2026-11')", (bytes(16),))
        row = (values[generation], generation, bytes(16))
        connection.exec_driver_sql("INSERT INTO pseudonyms VALUES (?, ?, ?)", row)
    migrate(f"sqlite:///{first.path}")
    known = DatabaseRotation(first).generations()
    assert known == [Generation(number, complete=True, proof=None) for number in range(generation + 1)]
    found = verified(directory(first), NIREC)
    assert found.handle == MacKeys().mac("handle-ministry", bytes(16)).hex()
    # which notes, at its first use, which keys these are
    assert all(each.proof for each in DatabaseRotation(first).generations())


def test_an_empty_one_begins_with_the_first_generation(first: SqliteDatabase) -> None:
    migrate(f"sqlite:///{first.path}")
    assert DatabaseRotation(first).generations() == [Generation(0, complete=True, proof=None)]
