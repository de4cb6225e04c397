"""The room of batches over a database, its clock and its registry in a test's hands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.civil_registry.sandbox.births import make_births
from gateway.batches.batch import ANSWER, OPEN, VERIFY
from gateway.batches.batches import Batches
from gateway.batches.pace import Pace
from gateway.batches.sealing import Sealing
from gateway.batches.storage import DatabaseBatches
from gateway.change import Change
from gateway.effect import Effect
from gateway.errors import Code, Refusal
from gateway.model import Nirec, OperationRef, Reply
from gateway.storage import Database, make_change, open_database
from gateway.waiting import Threads
from tests.adapters.conftest import grant_for
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.model import Grant

NIREC, OTHER = "1234567890123", "1234567890124"
CHILD: dict[str, Any] = {"nirec": Nirec(NIREC), "family_name": "Roy", "given_names": "Léa", "birth_date": "2024-02-29"}
LONGEST = 5.0


class Registry:
    """A registry that counts, and does what a test says while it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.outcome = "confirmed"
        self.meanwhile: Callable[[], object] = lambda: None

    def call(self, grant: Grant) -> Reply:
        assert isinstance(grant.message.fields["nirec"], Nirec)
        self.asked += 1
        self.meanwhile()
        return Reply("civil-registry", {"outcome": self.outcome}, ())


class World:
    """The room over a database, its clock in a test's hands."""

    def __init__(self, database: Database, per_second: int = 1000) -> None:
        self.database = database
        self.clock = ShiftedClock()
        self.store = DatabaseBatches(database)
        self.registry = Registry()
        sealing = Sealing(MacKeys(), "key", SystemRandomness())
        self.batches = Batches(self.store, sealing, self.clock, Threads(), per_second)
        self.pace = Pace(self.store, self.clock, Threads(), upstream="registry", per_second=per_second, at_once=4)
        self.asked = self.batches.asked(self.registry, self.pace, LONGEST)

    def write(self, *changes: Change) -> None:
        with self.database.writing() as connection:
            for change in changes:
                make_change(connection, change)

    def do(self, operation: str, party: str = "ministry", **fields: Any) -> dict[str, object]:
        """One exchange: step 6, and what comes with its record."""
        asked = self.grant(operation, party, **fields)
        reply = (self.asked if operation == VERIFY else self.batches).call(asked)
        self.write(*reply.changes)
        return dict(reply.fields)

    @staticmethod
    def grant(
        operation: str, party: str = "ministry", *, tells: bool = True, seed: bytes | None = None, **fields: Any
    ) -> Grant:
        made = grant_for(make_births(1)[0])
        request = made.message.request
        request = replace(
            request,
            party=replace(request.party, name=party),
            received=replace(request.received, exchange_id=uuid4()),
        )
        named = OperationRef(operation, "batches", "1", "00" * 32)
        message = replace(made.message, request=request, operation=named, fields=fields)
        none = Change((), Code.INTERNAL)
        effect = Effect(b"", "", seed or uuid4().bytes, outside=False, begun=none, settled=none, undone=none)
        return replace(made, message=message, tells_not_found=tells, effect=effect if operation == OPEN else None)

    def open(self, records: int = 3, seed: bytes | None = None) -> str:
        return str(self.do(OPEN, seed=seed, records=records, rejected=1, commitment="ab" * 32)["batch"])

    def verify(self, batch: str, line: int, **fields: Any) -> dict[str, object]:
        return self.do(VERIFY, **(CHILD | fields), batch=batch, line=str(line))

    def again(self, batch: str, line: int, party: str = "ministry", **fields: Any) -> dict[str, object]:
        return self.do(ANSWER, party, **(CHILD | fields), batch=batch, line=str(line))


@pytest.fixture
def world(any_url: str) -> Iterator[World]:
    database = open_database(any_url, durable=False)
    yield World(database)
    database.dispose()


def refused(work: Callable[[], object]) -> Code:
    with pytest.raises(Refusal) as caught:
        work()
    return caught.value.code
