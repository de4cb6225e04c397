"""A database's ledger, rebuilt from the published log, which is verified first, and a leaf that says so (DESIGN L7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.errors import RecoveryError
from gateway.ledger.encoding import FormatError, parse_canonical_json, timestamp
from gateway.ledger.evidence import policy_evidence
from gateway.ledger.leaf import KINDS, Leaf, binding, unpack_leaf
from gateway.ledger.note import verify_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.record import SALT_SIZE, Record, unpack_record
from gateway.ledger.recovered import ON_ITS_WAY, OpenWriter, RecoveryFacts
from gateway.ledger.rows import NewRecord
from gateway.ledger.verified import verified_bundles, verified_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from gateway.ledger.note import Checkpoint, LogKey
    from gateway.ledger.storage.recovery import Putting, Recovery
    from gateway.ledger.verified import Bundle
    from gateway.ports import Clock, Randomness


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    Attributes:
        size: of the published log, and now of the database.
        before: of the database until now.
        added: leaves that the database lacked.
        found: records that it held without their place in the log.
        waiting: records that it holds and the log does not: the sequencer will add them.
        objects: certificates, policies and the like that it lacked.
    """

    size: int
    before: int
    added: int
    found: int
    waiting: int
    objects: int

    @property
    def changed(self) -> bool:
        """Whether the database lacked anything: then a leaf says that it was recovered."""
        return bool(self.added or self.found)


def recover(
    directory: Path,
    key: LogKey,
    recovery: Recovery,
    *,
    clock: Clock,
    randomness: Randomness,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Recovered:
    """Puts into the database what the published log has and it lacks, and the leaf that says so, in one transaction.

    Every leaf must lead to the root that the log's key has signed, and to the log's hash tiles, every plain record to
    its leaf, every object to its name: otherwise nothing is changed. Raises RecoveryError, or FormatError for files in
    no form of ours.
    """
    note, checkpoint = _checkpoint(directory, key)
    with recovery.begun() as putting:
        before = _before(putting, checkpoint)
        seen = _Seen()
        for start, bundle in verified_bundles(directory, checkpoint):
            seen.take(bundle)
            putting.leaves(start, bundle)
            progress(start + len(bundle), checkpoint.size)
        putting.close(seen.closed)
        for name, data in verified_objects(directory):
            putting.objects({name: data})
        putting.finish(key.name, checkpoint.size, note)
        done = Recovered(
            size=checkpoint.size,
            before=before,
            added=putting.counts["added"],
            found=putting.counts["found"],
            waiting=len(putting.waiting),
            objects=putting.counts["objects"],
        )
        if done.changed:
            facts = seen.facts(checkpoint, before, putting.waiting, clock.now())
            # with what it tells of: no crash leaves a log that was recovered and does not say so
            putting.tell(_leaf(facts, randomness), facts.until)
    return done


def check_not_behind(directory: Path, key: LogKey, size: Callable[[], int]) -> None:
    """Raises RecoveryError where the database's log is smaller than the published one: it was put back (L7).

    ``size`` gives the database's, and is asked after the checkpoint was read: no sound database is ever behind it.
    """
    try:
        published = verify_note((directory / CHECKPOINT).read_bytes(), key).size
    except FileNotFoundError:
        return
    if (held := size()) < published:
        raise RecoveryError("database_behind", database=held, published=published)


class _Seen:
    """What the leaves of a log tell, while they pass, of its writers and its last moment."""

    def __init__(self) -> None:
        self.closed: list[UUID] = []
        self._next: dict[UUID, int] = {}
        self._newest: datetime | None = None

    def take(self, bundle: Bundle) -> None:
        for _, leaf, record in bundle:
            self._next[leaf.writer] = max(self._next.get(leaf.writer, 0), leaf.counter + 1)
            self._newest = leaf.time if self._newest is None else max(self._newest, leaf.time)
            if leaf.kind == "closing" and record is not None:
                self.closed.append(UUID(parse_canonical_json(unpack_record(record).evidence)["writer"]))

    def facts(self, checkpoint: Checkpoint, before: int, waiting: Iterable[bytes], now: datetime) -> RecoveryFacts:
        """What is lost, as far as anybody can know it; ``waiting`` are the leaves that the database alone held."""
        alone = [unpack_leaf(packed) for packed in waiting]
        kept: dict[UUID, int] = {}
        for leaf in alone:
            kept[leaf.writer] = max(kept.get(leaf.writer, 0), leaf.counter + 1)
        newest = self._newest or now
        return RecoveryFacts(
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            database=before,
            waiting=len(alone),
            since=min(newest - ON_ITS_WAY, now),
            until=now,
            writers=tuple(
                OpenWriter(writer, self._next.get(writer, 0), kept.get(writer, 0))
                for writer in sorted((self._next.keys() | kept.keys()) - set(self.closed))
            ),
        )


def _checkpoint(directory: Path, key: LogKey) -> tuple[bytes, Checkpoint]:
    try:
        note = (directory / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        raise RecoveryError("recover_no_log", folder=directory) from None
    try:
        return note, verify_note(note, key)
    except FormatError:
        raise RecoveryError("recover_log_broken", file=CHECKPOINT) from None


def _before(putting: Putting, checkpoint: Checkpoint) -> int:
    state = putting.state()
    if state is None:
        return 0
    if state.origin != checkpoint.origin:
        raise RecoveryError("recover_another_log", database=state.origin, published=checkpoint.origin)
    if state.size > checkpoint.size:
        raise RecoveryError("recover_not_behind", database=state.size, published=checkpoint.size)
    return state.size


def _leaf(facts: RecoveryFacts, randomness: Randomness) -> NewRecord:
    """The leaf of a writer of its own, which writes nothing else; the sequencer closes it as it does the dead."""
    exchange_id, writer, salt32 = randomness.uuid(), randomness.uuid(), randomness.bytes(SALT_SIZE)
    evidence = policy_evidence("recovered", "command", None, document=facts.document())
    return NewRecord(
        exchange_id=exchange_id,
        kind=KINDS["policy"],
        party=None,
        time=timestamp(facts.until),
        leaf=Leaf("policy", exchange_id, writer, 0, facts.until, binding(salt32, evidence)).pack(),
        writer=writer,
        counter=0,
        record=Record(salt32, evidence).pack(),
    )
