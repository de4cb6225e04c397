"""An outbox over either database, a ledger that keeps what it is told, and a ministry that counts effects."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

import pytest

from gateway.delivery.delivering import Deliverer
from gateway.delivery.pace import Pace
from gateway.delivery.sealing import Sealing
from gateway.delivery.storage import Outbox
from gateway.errors import Code, Refusal
from gateway.model import Attempt, OperationRef, RestPart, UpstreamRefusal
from gateway.notices import Notice, Telling, ToldMessage
from gateway.storage import make_change, open_database
from gateway.subject import DisclosedSubject
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.change import Change
    from gateway.delivery.rows import Claimed
    from gateway.notices import Outcome, Round, Unread
    from gateway.storage import Database

LEASE = timedelta(seconds=60)
PART = cast("RestPart", None)


class CrashError(BaseException):
    """The process has ended here."""


@dataclass
class Journal:
    """delivery.delivering.Recorder: leaves and changes in one transaction, or a crash before or after it."""

    database: Database
    rounds: list[Round] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    crash: str = ""

    def record(self, done: Round, changes: tuple[Change, ...]) -> None:
        if self.crash == "before the record":
            raise CrashError
        with self.database.writing(alone=True) as connection:
            for change in changes:
                make_change(connection, change)
        self.rounds.append(done)
        if self.crash == "after the record":
            raise CrashError

    def give_up(self, letter: Unread, changes: tuple[Change, ...]) -> None:
        with self.database.writing(alone=True) as connection:
            for change in changes:
                make_change(connection, change)
        self.unread.append(letter)

    @property
    def outcomes(self) -> list[str]:
        return [done.outcome for done in self.rounds]


@dataclass
class Ministry:
    """delivery.delivering.Tell: what is told, in order; an effect for each delivery that is new."""

    clock: ShiftedClock
    mode: str = "up"
    asked: int = 0
    effects: list[Telling] = field(default_factory=list)
    known: set[object] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, telling: Telling) -> tuple[Attempt, ...]:
        with self.lock:
            self.asked += 1
            at = self.clock.now()
            if self.mode == "crash before the effect":
                raise CrashError
            if self.mode == "away":
                raise UpstreamRefusal(Code.UPSTREAM_UNAVAILABLE)
            if self.mode == "down":
                tried = Attempt(at, Code.UPSTREAM_TIMEOUT, PART, None)
                raise UpstreamRefusal(Code.UPSTREAM_TIMEOUT, attempts=(tried,))
            number = telling.message.fields["delivery"]
            if number not in self.known:
                self.known.add(number)
                self.effects.append(telling)
            if self.mode == "crash after the effect":
                raise CrashError
            return (Attempt(at, "answered", PART, PART),)


@dataclass
class Agreed:
    """delivery.delivering.Policy: all may be told, unless it says otherwise."""

    refusal: Code | None = None

    def sha256(self) -> str:
        return "00"

    def telling(self, notice: Notice, at: datetime) -> Telling:  # noqa: ARG002  the protocol's signature
        if self.refusal is not None:
            raise Refusal(self.refusal)
        fields = {**notice.fields, "delivery": str(notice.delivery), "handle": notice.subject.handle}
        return Telling(ToldMessage(OperationRef("m.notice", "m", "1", "00"), fields), "E", "p", "00")


@dataclass
class Families:
    """delivery.delivering.Family: who was told of which child."""

    told: list[tuple[str, tuple[bytes, ...]]] = field(default_factory=list)

    def delivered(self, done: Round) -> tuple[Change, ...]:
        self.told.append((done.notice.addressee, done.notice.secrets))
        return ()


class Post:
    """All of it, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ShiftedClock()
        self.randomness = SystemRandomness()
        self.sealing = Sealing(MacKeys(), self.randomness)
        self.outbox = Outbox(database, self.clock, self.randomness)
        self.journal = Journal(database)
        self.policy = Agreed()
        self.ministry = Ministry(self.clock)
        self.families = Families()

    def notice(
        self, child: int = 1, addressee: str = "ministry", lives: timedelta = timedelta(hours=1), number: int = 0
    ) -> Notice:
        at = self.clock.now()
        subject = DisclosedSubject(f"{child:064x}", f"{child:063x}f")
        fields = {"event": "offered", "number": number}
        return Notice(uuid4(), uuid4(), addressee, subject, fields, at, at + lives, (bytes([child]) * 32,))

    def post(self, notice: Notice) -> UUID:
        line = self.sealing.line(notice.addressee, notice.subject.ledger)
        statement = self.outbox.added(notice, line, self.sealing.seal(notice))
        with self.database.writing() as connection:
            connection.exec_driver_sql(statement.text, statement.values)
        return notice.delivery

    def claim(self, most: int = 10, party: str = "ministry") -> list[Claimed]:
        return self.outbox.claim(party, most, LEASE)

    def deliverer(self) -> Deliverer:
        return Deliverer(
            rows=self.outbox,
            sealing=self.sealing,
            policy=self.policy,
            recorder=self.journal,
            family=self.families,
            pace=Pace(1, 900),
            clock=self.clock,
            randomness=self.randomness,
        )

    def round(self, claimed: Claimed) -> Outcome | None:
        return self.deliverer().round(claimed, self.ministry)

    def later(self, **by: float) -> None:
        self.clock.shift += timedelta(**by)


@pytest.fixture
def post(any_url: str) -> Iterator[Post]:
    database = open_database(any_url, durable=False)
    yield Post(database)
    database.dispose()
