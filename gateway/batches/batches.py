"""The operations of contracts/batches, as upstreams of the exchange (step 6): its lines, its answers, its report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from gateway.batches.batch import ANSWER, GET, OPEN, VERIFY, Answered, Asking, Batch, Record, milliseconds
from gateway.change import Change
from gateway.errors import Code, PasserelleError, Refusal, StorageUnavailableError
from gateway.model import Nirec, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.batches.pace import Pace
    from gateway.batches.sealing import Sealing
    from gateway.change import Statement
    from gateway.model import Grant
    from gateway.ports import Clock, Upstream, Waiting

T = TypeVar("T")

#: Past the longest that an adapter may ask, whoever asked is not there any more.
_GRACE = timedelta(seconds=5)
#: Batches that never change are kept in memory: each record would look its own up.
_KEPT = 64


class BatchStore(Protocol):
    """Batches and their lines at rest."""

    def find(self, batch: UUID) -> Batch | None:
        """What was announced; None for no batch."""
        ...

    def claim(self, asking: Asking) -> bool:
        """Whether the line is this exchange's to ask about."""
        ...

    def give_back(self, asking: Asking) -> None:
        """The exchange has ended without an answer."""
        ...

    def answered(self, batch: UUID, line: int) -> Answered | None:
        """A line's answer; None where it has none yet."""
        ...

    def all_answered(self, batch: UUID) -> Iterator[Answered]:
        """Every line that has an answer, in order."""
        ...

    def new(self, batch: Batch) -> Statement:
        """A batch, to be written unless it is there."""
        ...

    def answer(self, batch: UUID, answer: Answered) -> Statement:
        """A line's answer, to be written."""
        ...


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that a request is about."""

    batch: UUID
    number: int
    record: Record


class Batches:
    """ports.Upstream for what concerns batches alone: nobody else is asked."""

    def __init__(self, store: BatchStore, sealing: Sealing, clock: Clock, waiting: Waiting, per_second: int) -> None:
        """``per_second``: the rate that a caller is told when it opens a batch."""
        self._store = store
        self._sealing = sealing
        self._clock = clock
        self._waiting = waiting
        self._per_second = per_second
        self._known: dict[UUID, Batch] = {}
        self._reports: dict[UUID, Mapping[str, object]] = {}

    def call(self, grant: Grant) -> Reply:
        """The answer's fields; raises Refusal (batch_unknown, line_unknown, line_differs)."""
        match grant.message.operation.name:
            case name if name == OPEN:
                return self._open(grant)
            case name if name == ANSWER:
                return _reply({"outcome": self._again(grant)})
            case name if name == GET:
                return _reply(self._report(grant))
        raise PasserelleError("an operation asks the batches and is none of theirs")

    def asked(self, upstream: Upstream, pace: Pace, longest: float) -> Upstream:
        """The registry, which also answers records of batches; ``longest`` is how long it may take, seconds."""
        return _AskedInBatch(upstream, self, pace, self._store, timedelta(seconds=longest) + _GRACE, self._clock)

    def line(self, grant: Grant) -> _Line:
        """The line that a request is about; raises Refusal (batch_unknown, line_unknown)."""
        fields, batch = grant.message.fields, self._batch(grant)
        number = int(str(fields["line"]))
        if number > batch.records:
            raise Refusal(Code.LINE_UNKNOWN, component="line")
        nirec = fields["nirec"]
        if not isinstance(nirec, Nirec):
            raise PasserelleError("the contract's identifier is no NIREC")
        person = (str(fields[name]) for name in ("family_name", "given_names", "birth_date"))
        return _Line(batch.id, number, Record(nirec.reveal(), *person))

    def answers(self, line: _Line, exchange: UUID, outcome: str) -> Change:
        """What comes with the record of an exchange that has a line's answer."""
        answer = Answered(
            line=line.number,
            exchange=exchange,
            at=self._now(),
            record=self._sealing.code(line.batch, line.record),
            outcome=self._sealing.seal(line.batch, line.number, outcome),
        )
        # an update of a row of its own: it rests on nothing else
        return Change((self._store.answer(line.batch, answer),), Code.LINE_ANSWERED, alone=False)

    def _open(self, grant: Grant) -> Reply:
        request, fields = grant.message.request, grant.message.fields
        numbers = {name: int(str(fields[name])) for name in ("records", "rejected")}
        batch = Batch(
            id=_id(grant),
            party=request.party.name,
            commitment=str(fields["commitment"]),
            opened=self._now(),
            **numbers,
        )
        change = Change((self._store.new(batch),), Code.BATCH_UNKNOWN, alone=False)
        told = {"batch": str(batch.id), "per_second": self._per_second}
        return Reply(upstream=None, fields=told, attempts=(), changes=(change,))

    def _again(self, grant: Grant) -> str:
        line = self.line(grant)
        answer = self._store.answered(line.batch, line.number)
        if answer is None:
            raise Refusal(Code.LINE_UNKNOWN, component="line")
        if answer.record != self._sealing.code(line.batch, line.record):
            raise Refusal(Code.LINE_DIFFERS)
        return self._sealing.open(line.batch, line.number, answer.outcome)

    def _report(self, grant: Grant) -> Mapping[str, object]:
        batch = self._batch(grant)
        report = self._reports.get(batch.id)
        if report is None:
            report = self._waiting.blocking(lambda: self._counted(batch))
            if report["complete"]:
                _keep(self._reports, batch.id, report)
        if grant.tells_not_found:
            return report
        return {
            **report,
            "not_confirmed": int(str(report["not_confirmed"])) + int(str(report["not_found"])),
            "not_found": 0,
        }

    def _counted(self, batch: Batch) -> Mapping[str, object]:
        counts = {"confirmed": 0, "not_confirmed": 0, "not_found": 0}
        first: Answered | None = None
        last: Answered | None = None
        for one in self._store.all_answered(batch.id):
            counts[self._sealing.open(batch.id, one.line, one.outcome)] += 1
            first = one if first is None or one.at < first.at else first
            last = one if last is None or one.at >= last.at else last
        answered = sum(counts.values())
        report: dict[str, object] = {
            "records": batch.records,
            "rejected": batch.rejected,
            "commitment": batch.commitment,
            "opened_at": batch.opened,
            "answered": answered,
            **counts,
            "complete": answered == batch.records,
        }
        if first is not None and last is not None:
            report |= {"first_exchange": str(first.exchange), "first_at": first.at}
            report |= {"last_exchange": str(last.exchange), "last_at": last.at}
        return report

    def _batch(self, grant: Grant) -> Batch:
        """The caller's own; another party's cannot be told from none."""
        name = UUID(str(grant.message.fields["batch"]))
        batch = self._known.get(name) or self._store.find(name)
        if batch is None or batch.party != grant.message.request.party.name:
            raise Refusal(Code.BATCH_UNKNOWN, component="batch")
        _keep(self._known, name, batch)
        return batch

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"


class _AskedInBatch:
    """ports.Upstream: the registry; a record of a batch is asked once, at the batch's pace, by one exchange."""

    def __init__(
        self, upstream: Upstream, batches: Batches, pace: Pace, store: BatchStore, longest: timedelta, clock: Clock
    ) -> None:
        self._upstream = upstream
        self._batches = batches
        self._pace = pace
        self._store = store
        self._longest = longest
        self._clock = clock

    def call(self, grant: Grant) -> Reply:
        """As the registry answers or raises; of a batch also line_answered, line_in_hand, batch_too_fast."""
        if grant.message.operation.name != VERIFY:
            return self._upstream.call(grant)
        line = self._batches.line(grant)
        if self._store.answered(line.batch, line.number) is not None:
            raise Refusal(Code.LINE_ANSWERED)
        with self._pace.call():
            return self._ask(grant, line)

    def _ask(self, grant: Grant, line: _Line) -> Reply:
        exchange, now = grant.message.request.received.exchange_id, self._clock.now()
        asking = Asking(line.batch, line.number, exchange, milliseconds(now), milliseconds(now - self._longest))
        if not self._store.claim(asking):
            answered = self._store.answered(line.batch, line.number) is not None
            raise Refusal(Code.LINE_ANSWERED if answered else Code.LINE_IN_HAND)
        try:
            reply = self._upstream.call(grant)
        except Exception:
            with suppress(StorageUnavailableError):  # it is void soon in any case; what was tried is to be recorded
                self._store.give_back(asking)
            raise
        change = self._batches.answers(line, exchange, str(reply.fields["outcome"]))
        return replace(reply, changes=(*reply.changes, change))


def _id(grant: Grant) -> UUID:
    """One for each key and message, however often it is asked for."""
    effect = grant.effect
    if effect is None:
        raise PasserelleError("a batch is opened without the key under which it happens once")
    return UUID(bytes=effect.seed, version=4)


def _reply(fields: Mapping[str, object]) -> Reply:
    return Reply(upstream=None, fields=fields, attempts=())


def _keep(kept: dict[UUID, T], name: UUID, value: T) -> None:
    if name not in kept and len(kept) >= _KEPT:
        kept.pop(next(iter(kept)))
    kept[name] = value
