"""A gateway that is killed at each stage of a write: one effect, and its answer is to be had (L4)."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.cooperative.sandbox.storage import Registry
from gateway.audit.audit import audit
from gateway.client.client import UnreachableError
from gateway.effects.storage import DatabaseEffects
from gateway.storage import open_database
from tests.adapters.fakes import until
from tests.exchange.live import LiveGateway, descendants
from tests.exchange.test_effects import CHILD, CREATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Long enough to be killed meanwhile; what is slow is done all the same, under a key that was repeated by then.
HELD_MS = 20_000


class Town(LiveGateway):
    """A gateway of its own over the cooperative's registry, whose database is looked at from here."""

    before = 0

    def count(self) -> int:
        registry = Registry(f"sqlite:///{self.folder / 'sandbox' / 'cooperative' / 'registrations.sqlite'}")
        with closing(sqlite3.connect(registry._path or "")) as connection:
            found = connection.execute("SELECT COUNT(*) FROM registrations WHERE until IS NULL").fetchone()[0]
        registry.dispose()
        return int(found)

    def unsettled(self) -> list[str]:
        database = open_database(f"sqlite:///{self.folder / 'gateway' / 'db' / 'passerelle.sqlite'}", durable=False)
        try:
            return [str(one.exchange_id) for one in DatabaseEffects(database).unsettled()]
        finally:
            database.dispose()

    def ask(self, operation: str, fields: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        client = self.client("ministry")
        answer = client.send(client.prepare(operation, fields, salted=True, idempotency_key=key))
        said: dict[str, Any] = json.loads(answer.body)
        return said | {"status": answer.status}

    def kill(self) -> None:
        """kill -9 of every process of the gateway: nothing of it says goodbye."""
        process = self.processes.pop("gateway")
        everybody = [process.pid, *descendants(process.pid)]
        for pid in everybody:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(40)

    @contextmanager
    def asking(self, handle: str, key: str) -> Iterator[None]:
        """The request is on its way meanwhile; what becomes of it is nobody's concern."""

        def ask() -> None:
            with suppress(UnreachableError):
                self.ask(CREATE, {"handle": handle, **CHILD}, key)

        thread = threading.Thread(target=ask)
        thread.start()
        yield
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("town"))
    try:
        made.start_sandbox()
        made.start_cooperative()
        made.start()
        yield made
    finally:
        made.close()


def before_the_intent(town: Town, handle: str, key: str) -> None:
    """Somebody else has the database: nothing of the request is written yet."""
    asked = town.counter("cooperative")
    with closing(sqlite3.connect(town.folder / "gateway" / "db" / "passerelle.sqlite", isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        with town.asking(handle, key):
            town.kill()
        held.execute("ROLLBACK")
    assert town.unsettled() == []
    assert town.counter("cooperative") == asked


def _while(mode: str) -> Callable[[Town, str, str], None]:
    def kill(town: Town, handle: str, key: str) -> None:
        asked = town.counter("cooperative")
        town.behave(mode, HELD_MS, sandbox="cooperative")
        with town.asking(handle, key):
            assert until(lambda: town.counter("cooperative") > asked, 20)
            if mode == "held":
                before = town.before
                assert until(lambda: town.count() == before + 1, 20)
            town.kill()
        town.behave("normal", sandbox="cooperative")
        assert len(town.unsettled()) == 1

    return kill


def after_the_record(town: Town, handle: str, key: str) -> None:
    assert town.ask(CREATE, {"handle": handle, **CHILD}, key)["status"] == 200
    town.kill()
    assert town.unsettled() == []


STAGES = {
    "before_the_intent": before_the_intent,
    "after_the_intent_and_before_the_effect": _while("slow"),
    "after_the_effect_and_before_the_record": _while("held"),
    "after_the_record": after_the_record,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_gateway_leaves_one_effect_and_its_answer(town: Town, stage: str) -> None:
    handle, key = town.ask("subject.expect", {"reference": stage[:40]})["handle"], str(uuid4())
    town.before = town.count()
    STAGES[stage](town, handle, key)
    town.start()
    again = town.ask(CREATE, {"handle": handle, **CHILD}, key)
    assert (again["status"], again.get("outcome"), again.get("handle")) == (200, "registered", handle)
    assert town.count() == town.before + 1
    assert town.unsettled() == []


def test_an_answer_that_breaks_off_is_asked_for_again(town: Town) -> None:
    handle, key = town.ask("subject.expect", {"reference": "rompu"})["handle"], str(uuid4())
    before = town.count()
    for mode in ("reset", "lost"):
        town.behave(mode, sandbox="cooperative")
        lost = town.ask(CREATE, {"handle": handle, **CHILD}, key)
        assert (lost["status"], lost["code"]) in {(503, "upstream_unavailable"), (503, "upstream_timeout")}
    assert len(town.unsettled()) == 2
    town.behave("normal", sandbox="cooperative")
    # the breaker may still be open
    assert until(lambda: town.ask(CREATE, {"handle": handle, **CHILD}, key)["status"] == 200, 20)
    assert (town.count(), town.unsettled()) == (before + 1, [])


def test_the_log_of_all_this_holds(town: Town) -> None:
    log, trust = town.folder / "gateway" / "log", town.folder / "trust"
    # what was recorded last is published within a second, or what the machine makes of one
    assert until(lambda: audit(log, trust).facts.unsettled == (), 20)
    assert audit(log, trust).findings == ()
