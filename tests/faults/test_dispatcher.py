"""A dispatcher killed -9 at each stage of a delivery: the notice goes out again, and has its effect once.

The lease of whoever died is compressed: as soon as it is dead, its claims are taken for over, where FAULT_ROUNDS is not
set; the full form waits for the minute.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.exchange.live import status_of, wait
from tests.faults.ministry import MinistryNight
from tests.faults.night import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: No wait of ours but the lease.
SETTINGS = {
    "DELIVERIES__FIRST_WAIT_SECONDS": 0.05,
    "DELIVERIES__LONGEST_WAIT_SECONDS": 0.5,
    "DELIVERIES__LONGEST_PAUSE_SECONDS": 0.5,
    "DELIVERIES__LEASE_SECONDS": 60,
}
_HELD_MS = 20_000
_ANSWERED_MS = 1500


class Town(MinistryNight):
    """Its dispatcher can be killed: the supervisor starts another."""

    def kill(self) -> None:
        dispatcher = self.role("dispatcher")
        os.kill(dispatcher, signal.SIGKILL)
        assert until(lambda: self.role("dispatcher") != dispatcher, 20)

    def leased(self) -> bool:
        """Whether somebody is at the one notice that there is."""
        return self.rows("SELECT COUNT(*) FROM outbox WHERE lease IS NOT NULL") == [(1,)]

    def lease_ends(self) -> None:
        """As though its time were over; nobody lives who could still be at it."""
        with closing(sqlite3.connect(self.database, timeout=30, isolation_level=None)) as connection:
            connection.execute("UPDATE outbox SET leased_until = '2000-01-01T00:00:00.000000Z' WHERE lease IS NOT NULL")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("town"), **SETTINGS)
    # an answer may take its time: the dispatcher is killed meanwhile
    made.asks_it(attempt_seconds=25, deadline_seconds=30)
    try:
        made.start()
        yield made
    finally:
        made.close()


def claimed(town: Town, child: str) -> dict[str, str]:
    """Somebody takes the connection and says nothing: the notice is claimed, and not a byte of it is sent."""
    with socket.create_server(("127.0.0.1", town.ports.ministry)):
        sent = town.notified([child], ["offered"])
        assert until(town.leased, 20)
        town.kill()
    town.start_ministry()
    return sent


def _while(mode: str) -> Callable[[Town, str], dict[str, str]]:
    def kill(town: Town, child: str) -> dict[str, str]:
        town.start_ministry()
        town.behave(mode, _HELD_MS, sandbox="ministry")
        before = len(town.held())
        sent = town.notified([child], ["offered"])
        assert until(lambda: town.counter("ministry") == 1, 20)
        if mode == "held":
            assert until(lambda: len(town.held()) == before + 1, 20)
        town.kill()
        assert len(town.held()) == before + (mode == "held")
        town.behave("normal", sandbox="ministry")
        return sent

    return kill


def answered(town: Town, child: str) -> dict[str, str]:
    """Somebody else has the database when the answer comes: the ministry has said yes, and nothing is written of it."""
    town.start_ministry()
    town.behave("held", _ANSWERED_MS, sandbox="ministry")
    sent = town.notified([child], ["offered"])
    assert until(lambda: town.counter("ministry") == 1, 20)
    with closing(sqlite3.connect(town.database, timeout=30, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        wait(_ANSWERED_MS / 1000 + 0.5)  # nobody outside sees the answer come in; a write waits for a second
        town.kill()
        held.execute("ROLLBACK")
    assert town.outbox() == 1
    town.behave("normal", sandbox="ministry")
    return sent


def recorded(town: Town, child: str) -> dict[str, str]:
    """At once after the record."""
    town.start_ministry()
    sent = town.notified([child], ["offered"])
    assert until(lambda: town.outbox() == 0, 20)
    town.kill()
    return sent


#: Stage, and how often the ministry is asked in the end.
STAGES = {
    "claimed": (claimed, 1),
    "sent": (_while("slow"), 2),
    "taken": (_while("held"), 2),
    "answered": (answered, 2),
    "recorded": (recorded, 1),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_dispatcher_s_notice_has_its_effect_once(town: Town, stage: str) -> None:
    kill, asked = STAGES[stage]
    before = len(town.held())
    sent = kill(town, town.children()[list(STAGES).index(stage)])
    if not FULL:
        town.lease_ends()
    assert until(lambda: town.outbox() == 0, 20)
    assert [number for number, _, _ in town.held()[before:]] == list(sent)
    assert town.counter("ministry") == asked
    # what was sent and not recorded is followed by a round that is
    assert until(lambda: all(town.rounds()[one] for one in sent), 20)
    outcomes = [one["outcome"] for number in sent for one in town.rounds()[number]]
    # on a machine so slow that the lease ends meanwhile, somebody may have met a ministry that is not there yet
    assert [one for one in outcomes if one != "failed"] == ["delivered"]
    town.stop("ministry")
    assert until(lambda: status_of(f"http://127.0.0.1:{town.ports.ministry_control}/counter") is None, 20)


def test_the_log_of_all_this_holds(town: Town) -> None:
    town.settled()
    town.audited()
    town.nothing_told()
