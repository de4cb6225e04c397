"""PostgreSQL on a bad night: a commit that was not replicated, a connection that is cut, a primary that dies."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from gateway.errors import Code, ConfigurationError, NotRecordedError, PasserelleError, StorageUnavailableError
from gateway.guard.storage import DatabaseClaims
from gateway.storage import Standbys, check_server, open_database
from gateway.watch.storage import DatabaseWatch
from tests.adapters.fakes import ShiftedClock, until
from tests.guard.test_claims import code, guard, message
from tests.ledger.conftest import Bench
from tests.postgres.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from gateway.ledger.sequencer import Sequencer

_BACKENDS = "FROM pg_stat_activity WHERE application_name = 'passerelle'"


@pytest.fixture
def server(programs: Path) -> Iterator[Cluster]:
    """A server of this test's own, which keeps what it confirms."""
    cluster = Cluster(programs, safe=True)
    try:
        yield cluster.make()
    finally:
        cluster.close()


def ended(bench: Bench) -> None:
    for writer in bench.writers:
        writer.close()
    for database in bench.databases:
        database.dispose()
    bench.locks.close()


def test_a_commit_that_was_not_replicated_is_a_failed_one(server: Cluster, tmp_path: Path) -> None:
    """The standby is away, and somebody cancels the wait: the server only warns, and keeps the record (L4)."""
    bench = Bench(tmp_path, server.empty())
    bench.begin()
    writer = bench.writer()
    bench.exchange(writer)
    server.configure(synchronous_standby_names="'nobody'")
    server.reload()
    refused: list[Exception] = []

    def exchange() -> None:
        try:
            bench.exchange(writer)
        except NotRecordedError as error:
            refused.append(error)

    cancelled = f"SELECT pg_cancel_backend(pid) {_BACKENDS} AND wait_event = 'SyncRep'"
    assert until(lambda: server.sql("SHOW synchronous_standby_names") == [("nobody",)], 20)
    thread = threading.Thread(target=exchange)
    thread.start()
    # the record, and whatever is tried after it to be sure: each waits, and is cancelled
    assert until(lambda: server.sql(cancelled) == [] and not thread.is_alive(), 40)
    assert len(refused) == 1
    server.configure(synchronous_standby_names="''")
    server.reload()
    assert until(lambda: server.sql("SHOW synchronous_standby_names") == [("",)], 20)
    # it is in the log all the same, without an answer: as after a crash between the two
    bench.exchange(writer)
    _sequence(bench.sequencer())
    kinds = [leaf.kind for leaf, _ in bench.whole_log()]
    assert kinds.count("exchange") == 3
    ended(bench)


def test_a_connection_that_is_cut_is_a_life_that_ends(postgresql: Cluster, tmp_path: Path) -> None:
    """A lost connection is a lost lock: the writer begins again, and its former self is closed (L4, L5)."""
    bench = Bench(tmp_path, postgresql.database())
    bench.begin()
    writer = bench.writer()
    sequencer = bench.sequencer()
    _sequence(sequencer)
    bench.exchange(writer)
    postgresql.sql(f"SELECT pg_terminate_backend(pid) {_BACKENDS}")
    assert until(lambda: not postgresql.sql(f"SELECT 1 {_BACKENDS}"), 20)
    assert until(lambda: _tried(lambda: bench.exchange(writer)), 20)
    assert until(lambda: _tried(lambda: _sequence(sequencer)), 20)
    leaves = [leaf for leaf, _ in bench.whole_log()]
    lives = {leaf.writer for leaf in leaves if leaf.kind == "exchange"}
    assert len(lives) == 2
    assert [leaf.kind for leaf in leaves].count("closing") >= 1
    ended(bench)
    postgresql.give_back(bench.url)


def test_one_sequencer_leads_and_another_follows_when_its_connection_is_cut(
    postgresql: Cluster, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, postgresql.database())
    bench.begin()
    first = bench.locks.lead()
    assert first is not None
    assert bench.locks.lead() is None
    assert first.is_held()
    postgresql.sql(f"SELECT pg_terminate_backend(pid) {_BACKENDS}")
    assert until(lambda: not first.is_held(), 20)
    second = bench.locks.lead()
    assert second is not None
    assert bench.locks.lead() is None
    second.release()
    assert until(lambda: _led(bench), 20)
    ended(bench)
    postgresql.give_back(bench.url)


def test_a_server_that_confirms_what_it_may_lose_is_refused(postgresql: Cluster, server: Cluster) -> None:
    url = server.empty()
    check_server(url, standbys=False)
    with pytest.raises(ConfigurationError) as raised:
        check_server(url, standbys=True)
    assert raised.value.key == "standbys_missing"
    with pytest.raises(ConfigurationError) as raised:
        check_server(postgresql.database(), standbys=False)
    assert raised.value.key == "fsync_off"
    check_server("sqlite:////nowhere", standbys=True)


def test_signatures_from_before_a_crash_of_the_server_are_refused(server: Cluster) -> None:
    """What was claimed and not durable may be lost with it: the worker that lived through it knows (L4)."""
    clock = ShiftedClock()
    url = server.database()
    start = open_database(url, durable=True)
    DatabaseClaims(start, clock)  # as a gateway does before anybody can call
    start.dispose()
    database = open_database(url, durable=False)
    one = guard(database, clock)
    old = message(clock, "n1")
    assert code(one, old) is None
    server.kill()
    with pytest.raises(StorageUnavailableError):
        one.claim(message(clock, "n2"))
    server.start()
    # nothing but its time tells: nobody knows whether its claim was kept
    assert until(lambda: _tried(lambda: code(one, old)), 20)
    assert code(one, message(clock, "n3")) is Code.CREATED_OUT_OF_WINDOW
    assert code(one, message(clock, "n4", age=-40)) is None
    database.dispose()


def test_a_standby_that_is_away_is_not_waited_for_for_ever(pair: tuple[Cluster, Cluster], tmp_path: Path) -> None:
    """Nobody cancels anything: what was not replicated is refused by itself, and recorded again once it can be."""
    primary, standby = pair
    bench = Bench(tmp_path, primary.empty())
    bench.begin()
    writer = bench.writer()
    answered = [bench.exchange(writer)]
    watch = DatabaseWatch(bench.database)
    assert until(lambda: watch.read().standbys == Standbys(needed=1, connected=1), 20)
    primary.sql("CREATE ROLE plain LOGIN")
    unprivileged = open_database(bench.url.replace("passerelle@", "plain@"), durable=False)
    assert unprivileged.standbys() == Standbys(needed=1, connected=None)
    unprivileged.dispose()
    standby.kill()
    assert until(lambda: watch.read().standbys == Standbys(needed=1, connected=0), 20)
    refused: list[Exception] = []

    def exchange() -> None:
        try:
            bench.exchange(writer)
        except NotRecordedError as error:
            refused.append(error)

    threads = [threading.Thread(target=exchange, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 3
    standby.start()
    assert until(lambda: _tried(lambda: answered.append(bench.exchange(writer))), 40)
    assert watch.read().standbys == Standbys(needed=1, connected=1)
    _sequence(bench.sequencer())
    present = {leaf.exchange_id for leaf, _ in bench.whole_log() if leaf.kind == "exchange"}
    assert not set(answered) - present
    ended(bench)


def test_a_server_that_is_stopped_short_is_cut_off(server: Cluster) -> None:
    """It neither answers nor hears that it is to give up: whoever commits is not held for ever."""
    database = open_database(server.empty(), durable=True)
    database.write_once("CREATE TABLE kept (id integer)", ())
    [(pid,)] = server.sql(f"SELECT pid {_BACKENDS}")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StorageUnavailableError):
            database.write_once("INSERT INTO kept VALUES (1)", ())
    finally:
        os.kill(pid, signal.SIGCONT)
    database.dispose()


def test_a_standby_that_nobody_waits_for_any_more_is_missed(postgresql: Cluster, tmp_path: Path) -> None:
    """Somebody has emptied synchronous_standby_names: commits succeed, and nobody would notice otherwise."""
    bench = Bench(tmp_path, postgresql.database())
    bench.begin()
    assert DatabaseWatch(bench.database, lambda: True).read().standbys == Standbys(needed=1, connected=0)
    assert DatabaseWatch(bench.database).read().standbys == Standbys(needed=0, connected=0)
    ended(bench)
    postgresql.give_back(bench.url)


def test_a_primary_dies_and_no_answered_exchange_is_lost(pair: tuple[Cluster, Cluster], tmp_path: Path) -> None:
    """Kill -9 of the primary under load, its synchronous standby promoted: the same writers go on (L4, L5)."""
    primary, standby = pair
    name = primary.empty().rpartition("/")[2]
    _fail_over(Bench(tmp_path, primary.url(name, standby)), primary, standby)


def _fail_over(bench: Bench, primary: Cluster, standby: Cluster) -> None:
    bench.begin()
    _sequence(bench.sequencer())
    writers = [bench.writer() for _ in range(2)]
    clock = ShiftedClock()
    relaxed = open_database(bench.url, durable=False)
    one = guard(relaxed, clock)
    before = message(clock, "n1")
    assert code(one, before) is None
    answered: list[UUID] = []
    stop = threading.Event()

    def call(number: int) -> None:
        while not stop.is_set():
            try:
                answered.append(bench.exchange(writers[number % 2]))
            except PasserelleError:
                stop.wait(0.05)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        assert until(lambda: len(answered) >= 100, 40)
        primary.kill()
        standby.promote()
        survived = len(answered)
        assert until(lambda: len(answered) >= survived + 50, 40)
    finally:
        stop.set()
        for thread in threads:
            thread.join(40)
    assert until(lambda: _tried(lambda: code(one, before)), 20)
    assert code(one, message(clock, "n2")) is Code.CREATED_OUT_OF_WINDOW
    relaxed.dispose()
    _sequence(bench.sequencer())
    present = {leaf.exchange_id for leaf, _ in bench.whole_log() if leaf.kind == "exchange"}
    assert not set(answered) - present
    ended(bench)


def _led(bench: Bench) -> bool:
    lead = bench.locks.lead()
    if lead is not None:
        lead.release()
    return lead is not None


def _sequence(sequencer: Sequencer) -> None:
    sequencer.start()
    while sequencer.step():
        pass


def _tried(act: Callable[[], object]) -> bool:
    """Whether it can be done now; what is refused for its own sake fails the test."""
    try:
        act()
    except PasserelleError:
        return False
    return True
