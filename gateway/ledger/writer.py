"""The writer: one process in one period, its counter, its data key, its durable commits (DESIGN L2, L4)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import NotRecordedError, Refusal
from gateway.ledger.encoding import period_of, timestamp
from gateway.ledger.evidence import opening_evidence, void_evidence
from gateway.ledger.leaf import KINDS, SEALED_KINDS, Leaf, binding
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.record import SALT_SIZE, Record, seal_record
from gateway.ledger.rows import NewRecord
from gateway.ledger.sealing import DATA_KEY_SIZE, seal_data_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from gateway.change import Change
    from gateway.ledger.locks import Held, Lives
    from gateway.ledger.storage import Records
    from gateway.model import LeafKind
    from gateway.ports import Randomness


class _Life:
    """A writer in the ledger's sense: one id, one period, one data key, counters from 0."""

    __slots__ = ("key", "lock", "next", "pending", "period", "retired", "writer")

    def __init__(self, writer: UUID, period: int, lock: Held) -> None:
        self.writer = writer
        self.period = period
        self.lock = lock
        self.key: AESGCM | None = None
        self.next = 0
        self.pending = 0
        self.retired = False

    def take(self) -> int:
        """The next counter; under the writer's lock."""
        self.next += 1
        self.pending += 1
        return self.next - 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A leaf whose counter is taken; it must be committed or abandoned.

    Attributes:
        time: the leaf's time.
        leaf: its 105 bytes.
        leaf_hash: the RFC 6962 hash of it, which the answer carries.
    """

    kind: LeafKind
    exchange_id: UUID
    time: datetime
    counter: int
    leaf: bytes
    leaf_hash: bytes
    salt32: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    life: _Life = field(repr=False)


class Writer:
    """Writes this process's records; make it after the fork, ``close()`` it at the end.

    It begins a new life when the month changes. Without ``period_key`` it can write plain kinds only.
    """

    def __init__(
        self,
        records: Records,
        *,
        role: str,
        locks: Lives,
        randomness: Randomness,
        period_key: Callable[[int], bytes] | None,
    ) -> None:
        """Nothing is written until the first draft.

        Args:
            records: the tables, on a durable database.
            role: a word for what the process is, kept in its opening.
            locks: where it shows that it lives.
            randomness: for ids, salts and data keys.
            period_key: gives a period's raw public key (sealing.py), or raises; None for plain kinds only.
        """
        self._records = records
        self._role = role
        self._locks = locks
        self._randomness = randomness
        self._period_key = period_key
        # never held while anything waits: in a worker, many requests share one thread
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._life: _Life | None = None

    def open(self, at: datetime) -> None:
        """Begins the period of ``at`` now, and not with the first draft; raises NotRecordedError."""
        if not self._is_open(period_of(at)):
            self._records.waiting.blocking(lambda: self._begin_once(at))

    def draft(self, kind: LeafKind, exchange_id: UUID, at: datetime, evidence: bytes) -> Draft:
        """Takes the next counter and makes the leaf; raises NotRecordedError where no writer can be begun.

        A clock that steps back over the end of a month does not reopen it: the leaf's time is then the first
        instant of the writer's own period.
        """
        period = period_of(at)
        taken = self._take(period)
        if taken is None:
            self._records.waiting.blocking(lambda: self._begin_once(at))
            taken = self._take(period)
        if taken is None:
            raise NotRecordedError("the writer has ended as soon as it had begun")
        life, counter = taken
        if life.period > period:
            at = at.astimezone(UTC).replace(
                year=life.period // 100, month=life.period % 100, day=1, hour=0, minute=0, second=0, microsecond=0
            )
        return self._draft(life, counter, kind, exchange_id, at, evidence)

    def commit(
        self,
        draft: Draft,
        *,
        party: str | None = None,
        answer_base: bytes = b"",
        answer_signature: bytes = b"",
        objects: frozenset[str] = frozenset(),
        changes: tuple[Change, ...] = (),
    ) -> None:
        """Returns when the record is on the disk; raises NotRecordedError when it is not and never will be.

        With it what it changes; raises Refusal where one of these cannot be made any more: then the counter is voided.

        Order: seal, INSERT record and objects, COMMIT (synced), return; only then may the answer leave.
        A crash before COMMIT leaves neither leaf nor answer: the closing leaf names the counter if others
        followed it. A crash after COMMIT leaves a leaf whose answer may not have left: the client asks for it.
        """
        try:
            self._records.commit(
                self.row(
                    draft,
                    party=party,
                    answer_base=answer_base,
                    answer_signature=answer_signature,
                    objects=objects,
                    changes=changes,
                )
            )
        except Refusal:
            self._void(draft, "commit failed")
            raise
        except Exception as error:
            if not self._void(draft, "commit failed"):
                raise NotRecordedError("the record could not be made durable") from error
        finally:
            self.settled(draft)

    def abandon(self, draft: Draft) -> None:
        """Voids a draft that will not be committed, where that can be done; else the closing leaf names it."""
        try:
            self._void(draft, "abandoned")
        finally:
            self.settled(draft)

    def row(
        self,
        draft: Draft,
        *,
        party: str | None = None,
        answer_base: bytes = b"",
        answer_signature: bytes = b"",
        objects: frozenset[str] = frozenset(),
        changes: tuple[Change, ...] = (),
    ) -> NewRecord:
        """The draft's row, sealed where its kind is; for a transaction of the caller's own, then ``settled``."""
        record = Record(draft.salt32, draft.evidence, answer_base, answer_signature).pack()
        if draft.kind in SEALED_KINDS:
            if draft.life.key is None:
                raise NotRecordedError(f"a writer without a data key cannot seal {draft.kind}")
            record = seal_record(draft.life.key, draft.leaf, draft.counter, record)
        return NewRecord(
            exchange_id=draft.exchange_id,
            kind=KINDS[draft.kind],
            party=party,
            time=timestamp(draft.time),
            leaf=draft.leaf,
            writer=draft.life.writer,
            counter=draft.counter,
            record=record,
            objects=objects,
            changes=changes,
        )

    def settled(self, draft: Draft) -> None:
        """The draft is in, voided or given up; a retired life ends with its last one."""
        with self._lock:
            life = draft.life
            life.pending -= 1
            if life.retired and not life.pending:
                life.lock.release()

    def close(self) -> None:
        """Ends this process's writer; the sequencer closes it in the ledger."""
        with self._lock:
            self._retire()

    def _is_open(self, period: int) -> bool:
        life = self._life
        # a lock that is lost is a writer that the sequencer closes: the next leaf begins another one
        return life is not None and life.period >= period and life.lock.is_held()

    def _take(self, period: int) -> tuple[_Life, int] | None:
        """The next counter of the present life; None where one must be begun."""
        with self._lock:
            life = self._life
            if life is None or not self._is_open(period):
                return None
            return life, life.take()

    def _begin_once(self, at: datetime) -> None:
        """Begins a life, unless another thread has done so meanwhile; waits for the database."""
        period = period_of(at)
        with self._beginning:
            if self._is_open(period):
                return
            with self._lock:
                self._retire()
            life = self._begin(period, at)
            with self._lock:
                self._life = life

    def _begin(self, period: int, at: datetime) -> _Life:
        # the lock before the row: a row whose lock is free is a dead writer's
        # the opening leaf, durable, before any leaf that it can open: a crash in between leaves a writer without
        # leaf, or with its opening only, and the sequencer closes both
        writer = self._randomness.uuid()
        lock: Held | None = None
        try:
            # first of all: a month without its key would leave a row and a file with every request
            public = None if self._period_key is None else self._period_key(period)
            lock = self._locks.take(writer)
            life = _Life(writer, period, lock)
            self._records.open_writer(writer, period, self._role, at)
            if public is not None:
                self._open_sealing(life, public, at)
        except Exception as error:
            if lock is not None:
                # its file too, or a full disk would collect them; a row that came to be all the same is a dead writer's
                lock.remove()
            raise NotRecordedError("no writer could be begun") from error
        return life

    def _open_sealing(self, life: _Life, public: bytes, at: datetime) -> None:
        data_key = self._randomness.bytes(DATA_KEY_SIZE)
        sealed = seal_data_key(public, data_key, life.writer, life.period)
        named = sha256(public).hexdigest()
        evidence = opening_evidence(life.writer, life.period, self._role, named, sealed)
        draft = self._draft(life, life.take(), "opening", self._randomness.uuid(), at, evidence)
        refused = self._records.add([self.row(draft)])[0]
        if refused is not None:
            raise refused
        life.pending -= 1
        life.key = AESGCM(data_key)

    def _draft(
        self, life: _Life, counter: int, kind: LeafKind, exchange_id: UUID, at: datetime, evidence: bytes
    ) -> Draft:
        salt32 = self._randomness.bytes(SALT_SIZE)
        leaf = Leaf(kind, exchange_id, life.writer, counter, at, binding(salt32, evidence)).pack()
        return Draft(kind, exchange_id, at, counter, leaf, leaf_hash(leaf), salt32, evidence, life)

    def _void(self, draft: Draft, reason: str) -> bool:
        """Fills the draft's counter with a void leaf; True if the draft turns out to be in after all.

        UNIQUE(writer, counter) decides: either the void leaf goes in, and the draft never can, or the draft is
        there, since a commit can hold whose success was not reported.
        """
        life = draft.life
        salt32 = self._randomness.bytes(SALT_SIZE)
        evidence = void_evidence(life.writer, draft.counter, reason)
        exchange_id = self._randomness.uuid()
        leaf = Leaf("void", exchange_id, life.writer, draft.counter, draft.time, binding(salt32, evidence)).pack()
        void = Draft("void", exchange_id, draft.time, draft.counter, leaf, leaf_hash(leaf), salt32, evidence, life)
        try:
            self._records.commit(self.row(void))
        except Exception:  # noqa: BLE001 - whatever kept it out, what counts is what stands there now
            return self._stands(draft)
        return False

    def _stands(self, draft: Draft) -> bool:
        try:
            # a worker's loop must not wait for a server that is away: it serves the others meanwhile
            leaf = self._records.waiting.blocking(lambda: self._records.leaf_at(draft.life.writer, draft.counter))
        except Exception:  # noqa: BLE001 - a database that cannot be read has recorded nothing that we may rely on
            leaf = None
        if leaf is None:
            # neither draft nor void: this life has a gap that only its closing leaf can name
            with self._lock:
                if self._life is draft.life:
                    self._retire()
        return leaf == draft.leaf

    def _retire(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            life.retired = True
            if not life.pending:
                life.lock.release()
