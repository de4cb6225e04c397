"""A worker's loop goes on while something blocks, and what was elsewhere comes back as if it had not been."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import gevent
import pytest

from gateway.guard.storage import DatabaseClaims
from gateway.http.elsewhere import Elsewhere
from gateway.storage import migrate
from gateway.storage.sqlite import SqliteDatabase
from gateway.system import SystemClock
from gateway.waiting import Threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.ports import Waiting


def test_the_loop_serves_others_while_work_blocks() -> None:
    elsewhere = Elsewhere(2)
    done = threading.Event()
    blocked = gevent.spawn(elsewhere.blocking, lambda: done.wait(40))
    other = gevent.spawn(done.set)  # only the loop can run this, and only this ends the wait
    for each in (blocked, other):
        each.get(timeout=40)
    assert blocked.value is True


def test_work_runs_in_another_thread_and_its_error_comes_back() -> None:
    elsewhere = Elsewhere(1)
    assert elsewhere.blocking(threading.get_ident) != threading.get_ident()
    empty: dict[str, str] = {}
    with pytest.raises(KeyError, match="missing"):
        elsewhere.blocking(lambda: empty["missing"])


def test_in_any_other_thread_work_is_done_on_the_spot() -> None:
    elsewhere = Elsewhere(1)
    seen: list[int] = []

    def nested() -> None:
        elsewhere.pause(0.001)
        seen.extend([elsewhere.blocking(threading.get_ident), threading.get_ident()])

    elsewhere.blocking(nested)
    assert seen[0] == seen[1] != threading.get_ident()


@pytest.mark.parametrize("early", [True, False])
def test_a_baton_of_the_loop_is_given_from_a_thread(*, early: bool) -> None:
    elsewhere = Elsewhere(1)
    baton = elsewhere.baton()
    if early:
        baton.release()
        baton.acquire()
        return
    order: list[str] = []

    def give() -> None:
        order.append("given")
        baton.release()

    def wait() -> None:
        baton.acquire()
        order.append("had")

    waiting = gevent.spawn(wait)
    gevent.spawn(elsewhere.blocking, give).get(timeout=40)
    waiting.get(timeout=40)
    assert order == ["given", "had"]


def test_a_baton_made_in_a_thread_blocks_that_thread_only() -> None:
    elsewhere = Elsewhere(1)
    baton = elsewhere.blocking(elsewhere.baton)
    waiting = gevent.spawn(elsewhere.blocking, baton.acquire)
    gevent.sleep(0.01)
    assert not waiting.ready()
    baton.release()
    gevent.joinall([waiting], timeout=40, raise_error=True)
    assert waiting.ready()


@pytest.mark.parametrize("waiting", [Threads(), None])
def test_claims_are_committed_at_once_where_nobody_has_the_turn(tmp_path: Path, waiting: Waiting | None) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    database = SqliteDatabase(url, durable=False, waiting=waiting or Elsewhere(1))
    claims = DatabaseClaims(database, SystemClock())
    rows = [("nonce", b"n", SystemClock().now())]
    assert claims.claim(rows) == frozenset()
    assert database._hasty is not None
    assert database._direct is None  # the patient way was never needed
    assert claims.claim(rows) == {"nonce"}
    database.dispose()


def test_claims_wait_elsewhere_for_a_turn_that_another_has(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    other = SqliteDatabase(url, durable=False)
    database = SqliteDatabase(url, durable=False, waiting=Elsewhere(1))
    claims = DatabaseClaims(database, SystemClock())
    with other.turn:
        claiming = gevent.spawn(claims.claim, [("nonce", b"n", SystemClock().now())])
        gevent.sleep(0.02)  # the loop goes on meanwhile
        assert not claiming.ready()
    gevent.joinall([claiming], timeout=40, raise_error=True)
    assert claiming.value == frozenset()
    assert database._direct is not None
    for each in (other, database):
        each.dispose()


def test_claims_wait_elsewhere_for_a_database_that_another_program_has(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    database = SqliteDatabase(url, durable=False, waiting=Elsewhere(1))
    claims = DatabaseClaims(database, SystemClock())
    other = sqlite3.connect(tmp_path / "db.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    claiming = gevent.spawn(claims.claim, [("nonce", b"n", SystemClock().now())])
    gevent.sleep(0.02)
    assert not claiming.ready()
    other.execute("ROLLBACK")
    other.close()
    gevent.joinall([claiming], timeout=40, raise_error=True)
    assert claiming.value == frozenset()
    database.dispose()


def test_many_greenlets_share_commits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    database = SqliteDatabase(url, durable=True, waiting=Elsewhere(1))
    batches: list[int] = []

    def write(batch: Sequence[int]) -> list[Exception | None]:
        batches.append(len(batch))
        return [None] * len(batch)

    group = database.group(write)
    gevent.joinall([gevent.spawn(group.commit, number) for number in range(20)], timeout=40, raise_error=True)
    assert sum(batches) == 20
    assert len(batches) < 20
    database.dispose()


def test_who_is_torn_away_while_it_waits_takes_no_lead_with_it(tmp_path: Path) -> None:
    """A follower that is ended must not become the leader that everybody waits for."""
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    migrate(url)
    database = SqliteDatabase(url, durable=True, waiting=Elsewhere(2))
    go = threading.Event()

    def write(batch: Sequence[int]) -> list[Exception | None]:
        go.wait(40)
        return [None] * len(batch)

    group = database.group(write)
    leader = gevent.spawn(group.commit, 1)
    gevent.sleep(0.05)  # its batch is taken: the others queue behind it
    torn, patient = gevent.spawn(group.commit, 2), gevent.spawn(group.commit, 3)
    gevent.sleep(0.01)
    torn.kill()
    go.set()
    leader.get(timeout=40)
    patient.get(timeout=40)
    gevent.spawn(group.commit, 4).get(timeout=40)
    assert not group._led
    database.dispose()
