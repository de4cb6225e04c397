"""What the sequencer refuses to go on from."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import LogKey
from gateway.ledger.storage.tables import PUT_OBJECT

if TYPE_CHECKING:
    from .conftest import Bench


@pytest.fixture
def started(bench: Bench) -> Bench:
    bench.begin()
    writer = bench.writer()
    for _ in range(3):
        bench.exchange(writer)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    return bench


def change(bench: Bench, statement: str, *values: object) -> None:
    with bench.database().writing() as connection:
        assert connection.exec_driver_sql(statement, values).rowcount > 0


def test_an_untouched_log_is_started_again(started: Bench) -> None:
    sequencer = started.sequencer()
    sequencer.start()
    started.exchange(started.writer())
    assert sequencer.step() > 0
    assert started.whole_log()


def test_another_log_s_database(started: Bench) -> None:
    change(started, "UPDATE log_state SET origin = 'log.test/other'")
    with pytest.raises(LedgerError, match="another log"):
        started.sequencer().start()


def test_another_key(started: Bench) -> None:
    started.key = LogKey(started.key.name, bytes(32))
    with pytest.raises(FormatError, match="not signed once"):
        started.sequencer().start()


def test_a_changed_leaf_in_the_last_bundle(started: Bench) -> None:
    change(started, "UPDATE records SET leaf = ? WHERE idx = 1", bytes(105))
    with pytest.raises(LedgerError, match="not those of the published tile"):
        started.sequencer().start()


def test_a_changed_leaf_that_is_signed_and_not_published(started: Bench) -> None:
    (started.directory / "checkpoint").unlink()
    change(started, "UPDATE records SET leaf = ? WHERE idx = 1", bytes(105))
    with pytest.raises(LedgerError, match="do not lead to the checkpoint"):
        started.sequencer().start()


def test_a_missing_leaf(started: Bench) -> None:
    change(started, "UPDATE records SET idx = NULL WHERE idx = 1")
    with pytest.raises(LedgerError, match="leaves missing"):
        started.sequencer().start()


def test_a_changed_tile(started: Bench) -> None:
    tile = next((started.directory / "tile" / "0").rglob("000.p/*"))
    tile.write_bytes(tile.read_bytes()[::-1])
    with pytest.raises(LedgerError):
        started.sequencer().start()


def test_a_missing_tile(started: Bench) -> None:
    next((started.directory / "tile" / "0").rglob("000.p/*")).unlink()
    with pytest.raises(LedgerError, match="missing under the published checkpoint"):
        started.sequencer().start()


def test_a_first_leaf_that_is_no_genesis(bench: Bench) -> None:
    bench.begin()
    bench.exchange(bench.writer())
    change(bench, "DELETE FROM records WHERE kind = 7")
    sequencer = bench.sequencer()
    sequencer.start()
    with pytest.raises(LedgerError, match="not the genesis"):
        sequencer.step()


def test_a_database_without_a_log(bench: Bench) -> None:
    bench.begin()
    change(bench, "DELETE FROM log_state")
    with pytest.raises(LedgerError, match="no log was begun"):
        bench.sequencer().start()


def test_a_step_before_the_start(bench: Bench) -> None:
    bench.begin()
    with pytest.raises(LedgerError, match="has not started"):
        bench.sequencer().step()


def test_objects_of_other_bytes_than_their_names_say_are_left_out_and_stop_nobody(bench: Bench) -> None:
    genesis = bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    name = sha256(b"certificate").hexdigest()
    database = bench.database()
    with database.writing() as connection:
        for wrong in (name, genesis):  # one that is not published yet, and one that is
            connection.exec_driver_sql(PUT_OBJECT, (wrong, b"other bytes"))
    writer = bench.writer()
    for _ in range(2):
        bench.exchange(writer)
        assert sequencer.step() > 0
    assert not (bench.directory / "objects" / name).exists()
    assert sorted(str(alarm).split()[1].rstrip(":") for alarm in bench.alarms) == sorted([name, genesis])
    # whoever knows the right bytes puts them there, and they are published
    bench.objects[name] = b"certificate"
    records = bench.records()
    other = bench.writer(records)
    draft = other.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}")
    records.add([replace(other.row(draft), objects=frozenset({name}))])
    sequencer.step()
    assert (bench.directory / "objects" / name).read_bytes() == b"certificate"
    again = bench.sequencer()
    again.start()
    bench.exchange(writer)
    again.step()
    assert len(bench.alarms) == 3  # another process says once more what is still wrong
    assert bench.whole_log()
