"""What PostgreSQL's side of storage must hold, beyond what both databases show together."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigurationError, NotRecordedError, StorageUnavailableError
from gateway.ledger.storage import Log, Records
from gateway.ledger.storage.records import insert_records
from gateway.settings import load_settings, masked, of_storage
from gateway.storage import ConflictError, StorageError, open_database
from tests.adapters.fakes import until
from tests.ledger.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.storage import Database
    from tests.postgres.cluster import Cluster

_INSERT = "INSERT INTO subjects (id, created) VALUES (?, '50 % of 2026'), (?, 'now')"


@pytest.fixture
def database(any_url: str) -> Iterator[Database]:
    made = open_database(any_url, durable=True)
    yield made
    made.dispose()


@pytest.fixture
def bench(postgresql: Cluster, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, postgresql.database())
    yield made
    for writer in made.writers:
        writer.close()
    for opened in made.databases:
        opened.dispose()
    made.locks.close()
    postgresql.give_back(made.url)


def count(database: Database) -> int:
    return int(database.read_once("SELECT count(*) FROM subjects", ())[0][0])


def test_one_statement_is_in_whole_or_not_at_all(database: Database) -> None:
    assert database.write_once(_INSERT, (b"1", b"2")) == 2
    with pytest.raises(ConflictError):
        database.write_once(_INSERT, (b"3", b"1"))
    assert count(database) == 2
    assert database.read(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar()) == 2


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def write() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql(_INSERT, (b"1", b"2"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert count(database) == 0


def test_a_reader_sees_one_state(database: Database) -> None:
    query = "SELECT count(*) FROM subjects"
    with database.reading() as connection:
        assert connection.exec_driver_sql(query).scalar() == 0
        database.write_once(_INSERT, (b"1", b"2"))
        assert connection.exec_driver_sql(query).scalar() == 0


def test_who_writes_alone_is_alone(database: Database) -> None:
    """What is looked up stays true to the end: nobody makes the same child twice (N2)."""

    def make() -> None:
        for number in range(20):
            with database.writing(alone=True) as connection:
                key = (bytes([number]), b"other" + bytes([number]))
                found = connection.exec_driver_sql("SELECT 1 FROM subjects WHERE id = ?", key[:1]).scalar()
                if found is None:
                    connection.exec_driver_sql(_INSERT, key)

    errors: list[Exception] = []

    def caught() -> None:
        try:
            make()
        except (ConflictError, StorageUnavailableError) as error:
            errors.append(error)

    threads = [threading.Thread(target=caught) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count(database) == 40


def test_a_table_that_is_not_there_is_a_database_that_cannot_be_used(database: Database) -> None:
    with pytest.raises(StorageUnavailableError):
        database.read_once("SELECT 1 FROM nowhere", ())


def test_a_database_carried_over_a_fork_is_refused(postgresql: Cluster) -> None:
    url = postgresql.database()
    database = open_database(url, durable=True)
    child = os.fork()
    if child == 0:
        try:
            database.read_once("SELECT 1", ())
        except StorageError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    database.dispose()
    postgresql.give_back(url)


def test_no_record_comes_after_its_writer_s_closing(bench: Bench) -> None:
    """The closing waits for what is being written, and names it; what comes later is refused (L4)."""
    bench.begin()
    database = bench.database()
    records, log = Records(database, bench.objects.__getitem__), Log(bench.database())
    writer = bench.writer(records)
    bench.exchange(writer)
    late, later = (writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}") for _ in range(2))
    closer = bench.writer(seals=False)
    named: list[int] = []

    def close() -> None:
        def closing(highest: int, missing: list[int]) -> object:
            named.append(highest)
            assert not missing
            draft = closer.draft("closing", bench.randomness.uuid(), bench.clock.now(), b"{}")
            return closer.row(draft)

        assert log.close_writer(late.life.writer, closing)  # type: ignore[arg-type]  # a NewRecord, as it is made above

    closer.open(bench.clock.now())
    thread = threading.Thread(target=close)
    with database.writing() as connection:
        assert insert_records(connection, [writer.row(late)]) == [None]
        thread.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'passerelle'"
        assert until(lambda: bool(database.read_once(waits, ())) or bool(named), 20)
        assert named == []
    thread.join(20)
    assert named == [late.counter]
    assert isinstance(records.add([writer.row(later)])[0], NotRecordedError)
    for draft in (late, later):
        writer.settled(draft)


def test_a_driver_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gateway.storage.postgresql", None)
    with pytest.raises(ConfigurationError) as raised:
        open_database("postgresql://localhost/passerelle", durable=True)
    assert raised.value.key == "postgresql_not_installed"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:secret@db1,db2/p", "postgresql://u:•••@db1,db2/p"),
        (
            "postgresql://db/p?user=u&password=secret&sslmode=require",
            "postgresql://db/p?user=u&password=•••&sslmode=require",
        ),
        ("postgresql://u@db:5432/p?passfile=/etc/pgpass", "postgresql://u@db:5432/p?passfile=/etc/pgpass"),
    ],
    ids=["in_front", "as_a_parameter", "elsewhere"],
)
def test_a_password_is_never_shown_nor_taken_from_the_file(tmp_path: Path, address: str, shown: str) -> None:
    assert masked(address) == shown
    path = tmp_path / "passerelle.toml"
    text = '[listen]\norigin = "https://localhost"\n[civil_registry]\nurl = "https://localhost/"\n'
    path.write_text(f'{text}[storage]\ndatabase = "{address}"\n')
    if shown == address:
        assert load_settings(path, {}).storage.database == address
    else:
        with pytest.raises(ConfigurationError) as raised:
            load_settings(path, {})
        assert raised.value.key == "password_in_file"
        assert "secret" not in str(raised.value)
    path.write_text(text)
    environ = {"PASSERELLE_STORAGE__DATABASE": address, "PASSERELLE_LISTEN__PORT": "1"}
    assert load_settings(path, of_storage(environ)).storage.database == address
    assert load_settings(path, of_storage(environ)).listen.port == 8443
