"""Rotation in place, and a crash at each of its points: nobody is lost, nobody made twice (N2)."""

from __future__ import annotations

import sqlite3
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import KeystoreError
from gateway.keys.names import nirec_key
from gateway.model import Nirec
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.rotation import Rotation
from gateway.nirec.storage import DatabaseRotation
from gateway.storage import Database, open_database
from gateway.storage.sqlite import SqliteDatabase
from tests.adapters.fakes import ShiftedClock
from tests.nirec.test_subjects import MacKeys, asked, database, directory, verified

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.nirec.rotation import Progress

__all__ = ["database"]
CHILDREN = [f"{number:013}" for number in range(60)]


class LateKeys(MacKeys):
    """Keys of which a generation's comes to be only when it is made."""

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest

    def mac(self, key_id: str, data: bytes) -> bytes:
        if key_id.startswith("nirec-") and int(key_id.removeprefix("nirec-")) > self.newest:
            raise KeystoreError("file_unreadable", path=key_id, detail="absent")
        return super().mac(key_id, data)


class PowerCutError(Exception):
    """The process ends here."""


class DyingStore(DatabaseRotation):
    """Ends before or after the n-th of its writes."""

    def __init__(self, database: Database, write: int, *, after: bool) -> None:
        super().__init__(database)
        self._left = count(write, -1)
        self._after = after

    def _cut(self, *, after: bool) -> None:
        if after == self._after and next(self._left) == 0:
            raise PowerCutError

    def begin(self, generation: int, proof: bytes) -> None:
        self._cut(after=False)
        super().begin(generation, proof)
        self._cut(after=True)

    def rewrite(self, generation: int, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self._cut(after=False)
        super().rewrite(generation, pairs)
        self._cut(after=True)

    def finish(self, generation: int) -> None:
        self._cut(after=False)
        super().finish(generation)
        self._cut(after=True)


def rotate(database: Database, keys: LateKeys, store: DatabaseRotation | None = None, step: int = 25) -> list[Progress]:
    def make_key(generation: int) -> None:
        keys.newest = max(keys.newest, generation)

    seen: list[Progress] = []
    rotation = Rotation(
        store or DatabaseRotation(database), PseudonymChain(keys, nirec_key), ShiftedClock(), lambda _: None
    )
    rotation.run(make_key, seen.append, step)
    return seen


def rows(database: Database) -> dict[bytes, tuple[int, bytes]]:
    with database.reading() as connection:
        found = connection.exec_driver_sql("SELECT pseudonym, generation, subject FROM pseudonyms").fetchall()
    return {bytes(row.pseudonym): (row.generation, bytes(row.subject)) for row in found}


def everybody(database: Database, keys: MacKeys | None = None) -> list[object]:
    subjects = directory(database, keys or LateKeys(9))
    return [verified(subjects, child) for child in CHILDREN]


def test_every_pseudonym_is_rewritten_and_every_subject_found(database: Database) -> None:
    before = everybody(database)
    old = rows(database)
    keys = LateKeys()
    seen = rotate(database, keys)
    new = rows(database)
    assert {generation for generation, _ in new.values()} == {1}
    assert not old.keys() & new.keys()
    assert sorted(subject for _, subject in new.values()) == sorted(subject for _, subject in old.values())
    assert everybody(database) == before
    assert len(rows(database)) == len(CHILDREN)
    # progress: it rises to the end, and says how long it takes from the first step on
    assert [item.done for item in seen] == [0, 25, 50, 60, 60]
    assert (seen[0].seconds_left, seen[-1].seconds_left, seen[-1].total) == (None, 0.0, 60)
    # and once more, to the third generation
    rotate(database, keys)
    assert {generation for generation, _ in rows(database).values()} == {2}
    assert everybody(database) == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(5), ids=["row", "first", "second", "third", "finish"])
def test_a_crash_anywhere_is_resumed(database: Database, write: int, after: bool) -> None:  # noqa: FBT001  a table's column
    before = everybody(database)
    keys = LateKeys()
    with pytest.raises(PowerCutError):
        rotate(database, keys, DyingStore(database, write, after=after))
    # in the state in which it was left, everybody is found, and who comes now is made once
    assert everybody(database) == before
    late = verified(directory(database, LateKeys(9)), "7" * 13)
    again = rotate(database, keys)
    unfinished = (write, after) not in {(0, False), (4, True)}
    assert again[-1].resumed is unfinished
    generation = 2 if (write, after) == (4, True) else 1
    assert {number for number, _ in rows(database).values()} == {generation}
    assert everybody(database) == before
    assert verified(directory(database, LateKeys(9)), "7" * 13) == late
    assert len(rows(database)) == len(CHILDREN) + 1


def test_a_worker_that_knows_of_no_new_generation_makes_nobody_twice(database: Database) -> None:
    stale = directory(database, LateKeys(9))
    known = verified(stale, CHILDREN[0])
    assert stale._newest == 0
    keys = LateKeys()
    rotate(database, keys)
    assert verified(stale, CHILDREN[0]) == known
    assert len(rows(database)) == 1


def test_a_rotation_between_a_worker_s_look_and_its_insert(database: Database) -> None:
    """The look finds nobody under generation 0; at the insert another worker has made the child, and it is rotated."""
    worker, other, keys = directory(database, LateKeys(9)), directory(database, LateKeys(9)), LateKeys()
    verified(worker, CHILDREN[1])
    store = worker._store
    values, found = worker._located(Nirec(CHILDREN[0]))
    assert (len(values), found) == (1, None)
    made = verified(other, CHILDREN[0])
    rotate(database, keys)
    located = store.make(values)
    assert (located.found, located.newest) == (None, 1)  # too short a chain makes nobody
    assert verified(worker, CHILDREN[0]) == made
    assert len(rows(database)) == 2


def test_a_birth_of_before_the_rotation_is_not_attached_under_the_old_key(database: Database) -> None:
    worker = directory(database, LateKeys(9))
    expected = worker.disclose(asked("expect"))
    [change] = expected.changes
    with database.writing() as connection:
        for statement in change.statements:
            connection.exec_driver_sql(statement.text, statement.values)
    birth = worker.disclose(asked("attach", expected.subjects[0].handle, nirec=CHILDREN[0]))
    [attached] = birth.changes
    rotate(database, LateKeys())
    with database.writing() as connection:
        statement = attached.statements[0]
        assert connection.exec_driver_sql(statement.text, statement.values).rowcount == 0


def test_workers_go_on_while_it_runs_and_nobody_is_made_twice(database: Database, any_url: str) -> None:
    before = everybody(database)
    stop, results, failures = threading.Event(), list[tuple[int, object]](), list[BaseException]()

    def work(shift: int) -> None:
        own = open_database(any_url, durable=True)
        try:
            subjects = directory(own, LateKeys(9))
            for number in count(shift):
                if stop.is_set():
                    return
                results.append((number % 60, verified(subjects, CHILDREN[number % 60])))
                verified(subjects, f"{10**12 + number % 40:013}")
        except BaseException as error:  # noqa: BLE001  told by the test's own thread
            failures.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=work, args=(shift,)) for shift in (0, 30)]
    for thread in threads:
        thread.start()
    try:
        rotate(database, LateKeys(), step=3)
    finally:
        stop.set()
        for thread in threads:
            thread.join(40)
    assert not failures
    assert results
    assert all(found == before[index] for index, found in results)
    assert {generation for generation, _ in rows(database).values()} == {1}
    subjects = [subject for _, subject in rows(database).values()]
    assert len(subjects) == len(set(subjects)) <= 100


def test_a_lost_or_another_key_stops_it_before_anything_is_rewritten(database: Database) -> None:
    everybody(database)
    before = rows(database)

    class OtherKeys(LateKeys):
        def mac(self, key_id: str, data: bytes) -> bytes:
            return MacKeys().mac("of another day" if key_id == "nirec-0" else key_id, data)

    with pytest.raises(KeystoreError) as raised:
        rotate(database, OtherKeys())
    assert raised.value.key == "nirec_key_differs"
    assert rows(database) == before


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
def test_the_file_holds_no_former_pseudonym(database: Database, tmp_path: Path) -> None:
    """What it protects: copies made later, of the whole file too. Earlier copies stay what they are (N2)."""
    everybody(database)
    old = rows(database)
    rotate(database, LateKeys())
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert not [pseudonym for pseudonym in old if pseudonym in content]
    assert all(pseudonym in content for pseudonym in rows(database))


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
def test_a_reader_that_stays_does_not_stop_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(database, SqliteDatabase)
    everybody(database)
    monkeypatch.setattr("gateway.storage.sqlite._EMPTY_TRIES", 1)
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM pseudonyms").scalar()
        assert rotate(database, LateKeys())[-1].done == 60
        assert not database.empty_log()
    assert database.empty_log()


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
def test_nobody_who_writes_waits_behind_a_reader_that_stays(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is emptied with the turn to write in hand: whoever reads for long must not hold up every exchange."""
    assert isinstance(database, SqliteDatabase)
    everybody(database)
    patience: list[float] = []
    connect = sqlite3.connect

    def told(path: Path, *, timeout: float, **settings: Any) -> sqlite3.Connection:
        patience.append(timeout)
        made: sqlite3.Connection = connect(path, timeout=timeout, **settings)
        return made

    with database.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM pseudonyms").scalar()
        monkeypatch.setattr(sqlite3, "connect", told)
        assert not database.empty_log()
    assert patience == [0.02]
