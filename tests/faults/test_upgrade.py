"""A state directory that the first release made opens under this one, and goes on (schema 0001, no handles)."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config

import gateway.ledger.storage.opening as making
from gateway.keys.files import FileKeystore
from gateway.storage import open_database
from tests.faults.night import Night

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATIONS = Path(__file__).parents[2] / "gateway" / "migrations"


def first_schema(url: str) -> None:
    """The database as the first release made it."""
    database = open_database(url, durable=True)
    try:
        with database.writing() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
    finally:
        database.dispose()


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """A development set-up as the first release left it, with a child that it knows."""
    with monkeypatch.context() as patch:
        patch.setattr(making, "migrate", first_schema)
        patch.setattr(Night, "registrations", 0)  # nobody was enrolled by then
        made = Night(tmp_path / "old")
    (made.keys / "subject-handles.mac").unlink()
    try:
        made.start_sandbox()
        yield made
    finally:
        made.close()


def asked(database: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(query, values).fetchall()


def test_a_state_directory_of_the_first_release_opens_and_goes_on(old: Night) -> None:
    tables = {row[0] for row in asked(old.database, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not {"handles", "nirec_generations"} & tables
    draft = old.verification()
    nirec = json.loads(draft.body)["nirec"]
    pseudonym = FileKeystore(old.keys, macs=["nirec-0"]).mac("nirec-0", nirec.encode())
    subject = secrets.token_bytes(16)
    asked(old.database, "INSERT INTO subjects (id, created) VALUES (?, '2026-11')", subject)
    asked(old.database, "INSERT INTO pseudonyms VALUES (?, 0, ?)", pseudonym, subject)

    old.start()
    shown = old.exchange(draft.signed())
    assert (shown.status, shown.json()["outcome"]) == (200, "confirmed")
    again = old.exchange(old.verification().signed())
    assert again.json()["handle"] == shown.json()["handle"]
    # the child that it knew, and nobody else
    assert [bytes(row[0]) for row in asked(old.database, "SELECT id FROM subjects")] == [subject]
    assert asked(old.database, "SELECT generation, state FROM nirec_generations") == [(0, "complete")]
    old.settled()
    assert {"genesis", "exchange"} <= {leaf.kind for leaf, _ in old.leaves()}
    old.audited()
    # a key that is in use is not made anew when it is lost: each handle would be unknown
    old.stop()
    (old.keys / "subject-handles.mac").unlink()
    process = old.spawn("serve")
    assert process.wait(60) == 2
    assert not (old.keys / "subject-handles.mac").exists()
    old.nothing_told()
