"""Notices for an authority that is down, two dispatchers, one of them killed: none is lost, each has its effect once.

By REST under a signature, and by SOAP without one, as each authority's contract has it.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit
from tests.adapters.fakes import until
from tests.audit.asked import Asked
from tests.exchange.live import LiveGateway, children_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILDREN, EVENTS = 5, ("offered", "accepted", "begun", "ended")
#: What each authority calls them, by the operation that tells it.
TOLD = {
    "ministry": dict(zip(EVENTS, ("OFFERTE", "ACCEPTEE", "DEBUTEE", "TERMINEE"), strict=True)),
    "benefits": dict(zip(EVENTS, ("OFF", "ACC", "DEB", "FIN"), strict=True)),
}


class Town(LiveGateway):
    """A gateway whose dispatcher waits for no more than a moment."""

    def ask(self, path: Path, query: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def waiting(self) -> list[tuple[str, ...]]:
        return self.ask(self.folder / "gateway" / "db" / "passerelle.sqlite", "SELECT attempts FROM outbox")

    def held(self, authority: str) -> list[tuple[str, ...]]:
        path = self.folder / "sandbox" / f"{authority}-notices" / "notices.sqlite"
        return self.ask(path, "SELECT number, child, event FROM notices ORDER BY place")

    def children(self) -> list[str]:
        path = self.folder / "sandbox" / "cooperative" / "registrations.sqlite"
        return [row[0] for row in self.ask(path, "SELECT handle FROM registrations ORDER BY number")][:CHILDREN]

    def dispatcher(self) -> int:
        """The process that the supervisor started for it."""

        def commands() -> list[int]:
            gateway = self.processes["gateway"].pid
            return [pid for pid in children_of(gateway) if b"dispatcher" in Path(f"/proc/{pid}/cmdline").read_bytes()]

        assert until(lambda: bool(commands()), 5)
        return commands()[0]


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    for name, value in (("LONGEST_PAUSE_SECONDS", "1"), ("LONGEST_WAIT_SECONDS", "1"), ("LEASE_SECONDS", "10")):
        monkeypatch.setenv(f"PASSERELLE_DELIVERIES__{name}", value)
    town = Town(tmp_path / "town")
    try:
        town.start()
        yield town
    finally:
        town.close()


@pytest.mark.parametrize("authority", TOLD)
def test_an_authority_that_was_down_gets_every_notice_once(town: Town, authority: str) -> None:
    words = TOLD[authority]
    client = town.client("cooperative")
    sent: dict[str, str] = {}
    for event in EVENTS:
        for child in town.children():
            fields = {"handle": child, "addressee": authority, "event": event, "date": "2026-11-23"}
            fields |= {"permit": "1234-5678", "region": "06"}
            answer = client.send(client.prepare("placement.notify", fields, salted=True))
            sent[json.loads(answer.body)["delivery"]] = event
    assert len(sent) == CHILDREN * len(EVENTS)
    town.processes["second"] = town.spawn("serve", "--role", "dispatcher")
    assert until(lambda: any(int(row[0]) > 0 for row in town.waiting()), 10)
    {"ministry": town.start_ministry, "benefits": town.start_benefits}[authority]()
    assert until(lambda: len(town.held(authority)) > 1, 10)
    os.kill(town.dispatcher(), signal.SIGKILL)
    assert until(lambda: town.waiting() == [], 20)
    assert {number: event for number, _, event in town.held(authority)} == {
        one: words[event] for one, event in sent.items()
    }
    told: dict[str, list[str]] = defaultdict(list)
    for _, child, event in town.held(authority):
        told[child].append(event)
    assert list(told.values()) == [list(words.values())] * CHILDREN
    town.stop("second")
    town.stop()
    log, trust = town.folder / "gateway" / "log", town.folder / "trust"
    assert audit(log, trust).findings == ()
    found = Asked(log, trust).find(party=authority).rows
    rows = [row for row in found if row.terms.operation == f"{authority}.notice"]
    # at least once, and each child's handle is the authority's own
    assert len(rows) >= len(sent)
    assert {row.subject.handle for row in rows if row.subject} == set(told)
