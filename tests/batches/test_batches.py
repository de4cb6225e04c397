"""A batch's lines: asked once, answered again to whoever has the record, never another party's; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from adapters.civil_registry.sandbox.births import make_births
from gateway.batches.batch import ANSWER, GET, OPEN, VERIFY, Asking
from gateway.batches.batches import Batches
from gateway.batches.pace import Pace
from gateway.batches.sealing import Sealing
from gateway.batches.storage import DatabaseBatches
from gateway.change import Change, Statement
from gateway.effect import Effect
from gateway.errors import Code, PasserelleError, Refusal, StorageUnavailableError
from gateway.model import Nirec, OperationRef, Reply, UpstreamRefusal
from gateway.storage import Database, make_change, open_database
from gateway.waiting import Threads
from tests.adapters.conftest import grant_for
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.batches.batch import Answered
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


def test_a_second_s_calls_over_all_workers(world: World) -> None:
    take = world.store.take
    assert [take("registry", 100, 2, 5) for _ in range(3)] == [True, True, False]
    assert take("registry", 100, 1, 5)
    assert not take("registry", 100, 1, 5)
    assert take("another", 100, 5, 5)
    assert take("registry", 101, 5, 5)
    # a second that is over gives nothing
    assert not take("registry", 100, 1, 5)


@pytest.mark.parametrize("apart", [0, 1, 3, 6, 3600])
def test_the_rate_holds_over_nodes_whose_clocks_differ(world: World, apart: int) -> None:
    took = [0, 0]
    for second in range(100, 103):
        for turn in range(100):
            node = turn % 2
            took[node] += world.store.take("registry", second + apart * node, 1, 20)
    # in the first second the node that is behind may come first, and has one of its own
    assert 60 <= sum(took) <= 61
    assert min(took) >= 25


def test_a_clock_that_was_far_ahead_does_not_stop_everybody(world: World) -> None:
    now = int(world.clock.now().timestamp())
    assert world.store.take("registry", now + 3600, 3, 3)
    pace = Pace(world.store, world.clock, Hurried(world.clock), upstream="registry", per_second=3, at_once=2)
    came = [goes(pace) for _ in range(8)]
    assert not any(came[:3])
    assert came[-1]
    assert int(world.clock.now().timestamp()) < now + 60


def goes(pace: Pace) -> bool:
    try:
        with pace.call():
            return True
    except Refusal:
        return False


def test_a_clock_that_is_a_little_ahead_is_no_reason_to_begin_anew(world: World) -> None:
    assert world.store.take("registry", 105, 3, 3)
    world.store.begin_anew("registry", 100)
    assert not world.store.take("registry", 100, 1, 3)
    world.store.begin_anew("registry", 99)
    assert world.store.take("registry", 100, 1, 3)


def test_the_rate_holds_and_whoever_waits_too_long_is_told(world: World) -> None:
    world.store.take("registry", 2_000_000_000, 1, 1)
    slow = Pace(world.store, world.clock, Hurried(world.clock), upstream="slow", per_second=3, at_once=2)
    second = int(world.clock.now().timestamp())
    calls: list[int] = []
    for _ in range(7):
        with slow.call():
            calls.append(int(world.clock.now().timestamp()) - second)
    assert max(calls.count(one) for one in calls) <= 3
    assert len(set(calls)) >= 3
    stuck = Pace(Never(), world.clock, Hurried(world.clock), upstream="slow", per_second=3, at_once=2)
    for _ in range(3):  # and a place is given back each time
        assert refused(lambda: stuck.call().__enter__()) is Code.BATCH_TOO_FAST


class Never:
    """A second of which others have taken all."""

    def take(self, *_: object) -> bool:
        return False

    def begin_anew(self, *_: object) -> None:
        """Nothing helps."""


class Hurried(Threads):
    """Waits by setting the clock."""

    def __init__(self, clock: ShiftedClock) -> None:
        self._clock = clock

    def pause(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)


def test_single_verifications_keep_their_share(world: World) -> None:
    batch = world.open(records=40)
    under_way: list[int] = []
    most: list[int] = []

    def meanwhile() -> None:
        under_way.append(1)
        most.append(len(under_way))
        Threads().pause(0.02)
        under_way.pop()

    world.registry.meanwhile = meanwhile
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda line: world.verify(batch, line), range(1, 25)))
    assert max(most) == 4  # at_once, however many come
    # and as many again as four times that wait; more are told
    with world.pace.call(), world.pace.call(), world.pace.call(), world.pace.call():
        world.pace._queue.extend([Threads().baton()] * 16)
        assert refused(lambda: world.pace.call().__enter__()) is Code.BATCH_TOO_FAST
        world.pace._queue.clear()


def test_what_is_no_operation_of_a_batch_passes(world: World) -> None:
    fields = world.asked.call(world.grant("nirec.verify", **CHILD)).fields
    assert (fields, world.registry.asked) == ({"outcome": "confirmed"}, 1)
    with pytest.raises(PasserelleError, match="none of theirs"):
        world.batches.call(world.grant("nirec.verify", **CHILD))
