"""A batch's lines: asked once, answered again to whoever has the record, never another party's; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from gateway.batches.batch import ANSWER, GET, VERIFY, Asking
from gateway.batches.batches import Batches
from gateway.batches.sealing import Sealing
from gateway.batches.storage import DatabaseBatches
from gateway.change import Change, Statement
from gateway.errors import Code, PasserelleError, StorageUnavailableError
from gateway.model import Nirec, UpstreamRefusal
from gateway.waiting import Threads
from tests.adapters.fakes import SystemRandomness
from tests.nirec.test_subjects import MacKeys

from .conftest import CHILD, LONGEST, NIREC, OTHER, World, refused

if TYPE_CHECKING:
    from gateway.batches.batch import Answered


def test_a_line_is_asked_once_and_answered_again(world: World) -> None:
    batch = world.open()
    assert world.verify(batch, 2) == {"outcome": "confirmed"}
    assert refused(lambda: world.verify(batch, 2)) is Code.LINE_ANSWERED
    assert world.registry.asked == 1
    assert world.again(batch, 2) == {"outcome": "confirmed"}
    assert world.registry.asked == 1
    # lines come in any order
    world.registry.outcome = "not_found"
    assert world.verify(batch, 1) == {"outcome": "not_found"}
    assert world.again(batch, 1) == {"outcome": "not_found"}


def test_opened_again_under_its_key_it_is_the_same_batch_with_its_answers(world: World) -> None:
    seed = uuid4().bytes
    batch = world.open(seed=seed)
    world.verify(batch, 1)
    opened = world.store.find(UUID(batch))
    world.clock.shift = timedelta(days=1)
    assert world.open(seed=seed) == batch
    assert world.store.find(UUID(batch)) == opened
    assert world.do(GET, batch=batch)["answered"] == 1
    assert world.open() != batch


@pytest.mark.parametrize("field", ["nirec", "family_name", "given_names", "birth_date"])
def test_an_answer_is_for_the_same_record_alone(world: World, field: str) -> None:
    batch = world.open()
    world.verify(batch, 1)
    another: dict[str, Any] = {field: Nirec(OTHER) if field == "nirec" else "2024-03-01"}
    assert refused(lambda: world.again(batch, 1, **another)) is Code.LINE_DIFFERS


def test_lines_that_are_not_there(world: World) -> None:
    batch = world.open(records=3)
    assert refused(lambda: world.verify(batch, 4)) is Code.LINE_UNKNOWN
    assert refused(lambda: world.again(batch, 3)) is Code.LINE_UNKNOWN
    assert world.registry.asked == 0


def test_another_party_s_batch_is_none(world: World) -> None:
    batch = world.open()
    world.verify(batch, 1)  # so that it is known in memory, too
    for name in (batch, str(uuid4())):
        fields = CHILD | {"batch": name, "line": "1"}
        for operation in (VERIFY, ANSWER, GET):
            found = refused(lambda operation=operation, fields=fields: world.do(operation, "cooperative", **fields))  # type: ignore[misc]  # bound now
            assert found is Code.BATCH_UNKNOWN
    assert world.registry.asked == 1


def test_two_at_once_about_one_line(world: World) -> None:
    batch = world.open()
    seen: list[Code] = []

    def meanwhile() -> None:
        world.registry.meanwhile = lambda: None
        seen.append(refused(lambda: world.verify(batch, 1)))

    world.registry.meanwhile = meanwhile
    world.verify(batch, 1)
    assert seen == [Code.LINE_IN_HAND]
    assert world.registry.asked == 1


def test_whoever_was_stopped_dead_leaves_the_line_for_so_long(world: World) -> None:
    batch = world.open()
    world.asked.call(world.grant(VERIFY, **CHILD, batch=batch, line="1"))  # and its record is never written
    world.clock.shift = timedelta(seconds=LONGEST + 3)
    assert refused(lambda: world.verify(batch, 1)) is Code.LINE_IN_HAND
    world.clock.shift = timedelta(seconds=LONGEST + 6)
    assert world.verify(batch, 1) == {"outcome": "confirmed"}
    assert world.registry.asked == 2


def test_of_two_answers_one_is_recorded(world: World) -> None:
    """Somebody who was slower than anybody may be: his record is refused, and with it his answer."""
    batch = world.open()
    slow = world.asked.call(world.grant(VERIFY, **CHILD, batch=batch, line="1"))
    world.clock.shift = timedelta(seconds=60)
    world.verify(batch, 1)
    assert refused(lambda: world.write(*slow.changes)) is Code.LINE_ANSWERED


def test_a_registry_that_gives_no_answer_leaves_the_line_free(world: World) -> None:
    batch = world.open()

    def fail() -> None:
        raise UpstreamRefusal(Code.UPSTREAM_TIMEOUT)

    world.registry.meanwhile = fail
    assert refused(lambda: world.verify(batch, 1)) is Code.UPSTREAM_TIMEOUT
    world.registry.meanwhile = lambda: None
    assert world.verify(batch, 1) == {"outcome": "confirmed"}


class Away(DatabaseBatches):
    """A database that goes away while the registry is asked."""

    def give_back(self, asking: Asking) -> None:
        raise StorageUnavailableError(str(asking.line))


def test_what_was_tried_is_told_where_the_line_cannot_be_given_back(world: World) -> None:
    batch = world.open()
    gone = Batches(Away(world.database), Sealing(MacKeys(), "key", SystemRandomness()), world.clock, Threads(), 1000)
    lost = UpstreamRefusal(Code.UPSTREAM_TIMEOUT)

    def fail() -> None:
        raise lost

    world.registry.meanwhile = fail
    world.asked = gone.asked(world.registry, world.pace, LONGEST)
    with pytest.raises(UpstreamRefusal) as caught:
        world.verify(batch, 1)
    assert caught.value is lost


def test_what_is_counted(world: World) -> None:
    batch = world.open(records=3)
    assert world.do(GET, batch=batch).items() >= {"answered": 0, "complete": False, "rejected": 1}.items()
    for line, outcome in ((3, "confirmed"), (1, "not_found"), (2, "not_confirmed")):
        world.registry.outcome = outcome
        world.verify(batch, line)
        world.clock.shift += timedelta(seconds=2)
    report = world.do(GET, batch=batch)
    counted = {"records": 3, "answered": 3, "confirmed": 1, "not_confirmed": 1, "not_found": 1, "complete": True}
    assert report.items() >= (counted | {"commitment": "ab" * 32}).items()
    lines = {line: world.store.answered(UUID(batch), line) for line in (1, 2, 3)}
    assert (report["first_exchange"], report["last_exchange"]) == tuple(
        str(one.exchange) for line in (3, 2) if (one := lines[line])
    )
    # whose agreement does not tell not_found apart learns it from no number either (N4)
    told = world.batches.call(world.grant(GET, tells=False, batch=batch)).fields
    assert (told["not_confirmed"], told["not_found"]) == (2, 0)


def test_what_is_at_rest_says_nothing(world: World) -> None:
    batch = world.open(records=2)
    world.verify(batch, 1)
    world.registry.outcome = "not_confirmed"
    world.verify(batch, 2, nirec=Nirec(OTHER))
    first, second = (world.store.answered(UUID(batch), line) for line in (1, 2))
    assert first is not None
    assert second is not None
    assert len(first.outcome) == len(second.outcome)
    with world.database.reading() as connection:
        rows = [
            tuple(row)
            for table in ("batches", "batch_lines")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608  our own names
        ]
    kept = b"\0".join(
        bytes(value) if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )
    for clear in (NIREC, OTHER, "Roy", "Léa", "2024-02-29", "confirmed"):
        assert clear.encode() not in kept
    # a row that was put in another's place does not open
    world.write(_rewritten(world, UUID(batch), replace(first, line=2)))
    with pytest.raises(PasserelleError, match="does not open"):
        world.again(batch, 2)


def _rewritten(world: World, batch: UUID, answer: Answered) -> Change:
    free = Statement("UPDATE batch_lines SET exchange = NULL WHERE line = ?", (answer.line,), rows=1)
    return Change((free, world.store.answer(batch, answer)), Code.LINE_ANSWERED)


def test_claims_of_many_at_once(world: World) -> None:
    batch = uuid4()

    def claim(number: int) -> bool:
        return world.store.claim(Asking(batch, number % 10 + 1, uuid4(), 1000, 0))

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(claim, range(80)))
    assert sum(made) == 10


def test_old_batches_are_forgotten(world: World) -> None:
    batch = world.open()
    world.verify(batch, 1)
    now = datetime.now(UTC)  # noqa: TID251  the rows have the system's time
    world.store.forget(now - timedelta(days=1))
    assert world.store.find(UUID(batch)) is not None
    world.store.forget(now + timedelta(days=1))
    assert world.store.find(UUID(batch)) is None
    assert world.store.answered(UUID(batch), 1) is None


def test_what_is_no_operation_of_a_batch_passes(world: World) -> None:
    fields = world.asked.call(world.grant("nirec.verify", **CHILD)).fields
    assert (fields, world.registry.asked) == ({"outcome": "confirmed"}, 1)
    with pytest.raises(PasserelleError, match="none of theirs"):
        world.batches.call(world.grant("nirec.verify", **CHILD))
