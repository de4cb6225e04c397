"""The sequencer: gives each leaf its index, signs the tree, publishes it (DESIGN L4, L5, L6, L7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from gateway.errors import KeystoreError, LedgerError, NotRecordedError, RecoveryError, StorageUnavailableError
from gateway.ledger.evidence import closing_evidence
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import Checkpoint, sign_checkpoint, verify_note
from gateway.ledger.tiles import WIDTH
from gateway.ledger.witnessing import WitnessesMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from gateway.ledger.locks import Held, Lives
    from gateway.ledger.note import LogKey
    from gateway.ledger.publish import Publisher
    from gateway.ledger.rows import LogState, NewRecord
    from gateway.ledger.storage import Log
    from gateway.ledger.witnessing import Witnesses
    from gateway.ledger.writer import Draft, Writer
    from gateway.ports import Clock, Keystore, Randomness, Stop

BATCH = 4096
_AGAIN_SECONDS = 1.0
#: So many new leaves are load, and the pause is longer: each step writes the whole last bundle again (L6 has 1 s).
_BUSY, _BUSY_SECONDS = 32, 0.3
#: What waiting can mend: a database that is locked, a disk that is full or read-only, a token or witnesses away.
_PASSING = (StorageUnavailableError, NotRecordedError, KeystoreError, WitnessesMissingError, OSError)


def is_led(locks: Lives) -> bool:
    """Whether a sequencer runs."""
    lead = locks.lead()
    if lead is None:
        return True
    lead.release()
    return False


class Beside(Protocol):
    """What is done beside sequencing, by the one that leads (L8)."""

    def start(self, stop: Stop, leads: Callable[[], bool]) -> None:
        """Begins, in a thread of its own, which ends soon after ``stop`` is set, and works while ``leads``."""
        ...

    def finish(self) -> None:
        """Writes the last record, if it can; raises nothing."""
        ...


class Sequencer:
    """One process of its own; a second one is stopped by the compare in ``Log.sequence``.

    After an error the state in memory is not used again: ``start`` begins anew from the disk, here where waiting can
    mend it, and otherwise in a new process.
    """

    def __init__(
        self,
        *,
        log: Log,
        publisher: Publisher,
        writer: Writer,
        key: LogKey,
        keystore: Keystore,
        clock: Clock,
        randomness: Randomness,
        locks: Lives,
        alarm: Callable[[Exception], None],
        witnesses: Witnesses | None = None,
        anchors: Beside | None = None,
    ) -> None:
        """Reads nothing; ``start`` does.

        Args:
            log: the tables, on a durable database.
            publisher: the directory.
            writer: this process's own, for closing leaves; it needs no period key.
            key: the log's public key and origin.
            keystore: signs with its ``log`` key.
            clock: the closing leaves' time.
            randomness: their ids.
            locks: who lives, and who leads.
            alarm: told of what ``run`` waits to be mended, and of objects that are not what their names say.
            witnesses: asked for cosignatures of each checkpoint, before it is published.
            anchors: work while this one leads; what they write at the end is sequenced too.
        """
        self._anchors = anchors
        self._leads = False
        self._alarm = alarm
        self._witnesses = witnesses
        self._log = log
        self._publisher = publisher
        self._writer = writer
        self._key = key
        self._keystore = keystore
        self._clock = clock
        self._randomness = randomness
        self._locks = locks
        self._tree: CompactRange | None = None
        self._checkpoint = b""
        self._wrong: set[str] = set()

    def start(self) -> None:
        """Rebuilds the tree, proves it against what was signed, publishes what was signed and not published.

        Raises RecoveryError when the database is behind the published checkpoint (a restored backup), LedgerError when
        tiles or leaves do not lead to the signed roots, or when a published file differs; LogBehindError when a witness
        has seen more than the database holds (L7).
        """
        with self._publisher.alone(anew=True):
            self._tree = self._started()

    def _started(self) -> CompactRange:
        # what is read below may have been committed, and its commit not confirmed: ours comes after it
        self._log.confirm()
        state = self._log.state()
        if state.origin != self._key.name:
            raise LedgerError("the database holds another log")
        tree = self._resume_published(state)
        start = tree.size
        for first in range(start, state.size, BATCH):
            for row in self._log.rows(first, min(first + BATCH, state.size)):
                tree.append(leaf_hash(row.leaf))
        if state.size:
            signed = verify_note(state.checkpoint, self._key)
            if (signed.size, signed.root) != (tree.size, tree.root()):
                raise LedgerError("the leaves do not lead to the checkpoint that the database holds")
        self._checkpoint = state.checkpoint
        if self._witnesses is not None and state.size:
            self._witnesses.check(state.checkpoint)
        # only now is it known that what is to be published is what was signed
        if start < state.size or state.published_size != state.size:
            self._publish(start, state.size, state.checkpoint)
        self._publisher.sweep()
        return tree

    def step(self) -> int:
        """Closes dead writers, sequences what is waiting, publishes it; gives the number of new leaves.

        Order: indices and signed checkpoint in one COMMIT, then the files, then the file ``checkpoint``. A crash
        before COMMIT: nothing happened. After it: ``start`` publishes what the database holds. No checkpoint
        leaves this process before it is durable here, so no two of one size can ever be seen.
        """
        if self._tree is None:
            raise LedgerError("the sequencer has not started, or has failed and must start again")
        tree, self._tree = self._tree, None
        self._close_the_dead()
        grown = tree.copy()
        rows = self._log.sequence(BATCH, lambda state, leaves: self._sign(state, leaves, grown))
        if rows:
            with self._publisher.alone():
                self._publisher.objects(objects := self._objects())
                for row in rows:
                    self._publisher.append(row.leaf, row.record)
                self._put(self._checkpoint)
            self._log.mark_published(grown.size, [name for name, _ in objects])
        elif self._witnesses is not None and self._witnesses.lacking:
            with self._publisher.alone():
                self._complete(self._witnesses)
        self._tree = grown
        return len(rows)

    def run(self, stop: Stop, *, poll_seconds: float = 0.1) -> None:
        """Starts, then steps until ``stop`` is set; whatever is waiting then is sequenced once more.

        While another sequencer leads, it waits for that one to end: both would be safe, by the
        compare in the database, but each would sweep away the other's partial files.
        While the database or the disk cannot be used, it starts anew once a second; raises LedgerError for what no
        waiting can mend.
        """
        if self._anchors is not None:
            self._anchors.start(stop, lambda: self._leads)
        try:
            while (lead := self._wait_to_lead(stop)) is not None:
                self._leads = True
                try:
                    if self._lead(lead, stop, poll_seconds):
                        return
                finally:
                    self._leads = False
                    lead.release()
        finally:
            self._writer.close()
            self._locks.close()

    def _wait_to_lead(self, stop: Stop) -> Held | None:
        """The lead, or None where the stop came before it."""
        while True:
            try:
                if (lead := self._locks.lead()) is not None:
                    return lead
            except _PASSING as error:
                self._alarm(error)
            # on PostgreSQL each attempt is a connection of its own
            if stop.wait(_AGAIN_SECONDS):
                return None

    def _lead(self, lead: Held, stop: Stop, poll_seconds: float) -> bool:
        """True at the end; False where the lead is lost, and another one may have it."""
        while not self._run(lead, stop, poll_seconds):
            stopped = stop.wait(_AGAIN_SECONDS)
            if not lead.is_held():
                return False
            if stopped:
                # once more: what could not be written when the stop came may be written now
                self._run(lead, stop, poll_seconds)
                return True
        return True

    def _run(self, lead: Held, stop: Stop, poll_seconds: float) -> bool:
        """True at the end; False where something has to be mended first."""
        try:
            self.start()
            while not stop.is_set():
                if not lead.is_held():
                    return False
                if (new := self.step()) < BATCH:
                    stop.wait(poll_seconds if new < _BUSY else max(poll_seconds, _BUSY_SECONDS))
            self.step()
            if self._anchors is not None:
                self._anchors.finish()
                self.step()
        except _PASSING as error:
            self._alarm(error)
            return False
        return True

    def _resume_published(self, state: LogState) -> CompactRange:
        note = self._publisher.checkpoint()
        if note is None:
            if state.published_size:
                self._log.forget_published(0)
            return CompactRange()
        published = verify_note(note, self._key)
        if published.size > state.size:
            raise RecoveryError("database_behind", database=state.size, published=published.size)
        if published.size < state.published_size:
            self._log.forget_published(published.size)
        bundle = self._log.rows(published.size - published.size % WIDTH, published.size)
        tree = self._publisher.resume(published.size, [(row.leaf, row.record) for row in bundle])
        if tree.root() != published.root:
            raise LedgerError("the published tiles do not lead to the published checkpoint")
        return tree

    def _publish(self, start: int, end: int, checkpoint: bytes) -> None:
        self._publisher.objects(objects := self._objects())
        for first in range(start, end, BATCH):
            for row in self._log.rows(first, min(first + BATCH, end)):
                self._publisher.append(row.leaf, row.record)
        if start < end:
            self._put(checkpoint)
        else:
            self._publisher.settle()  # the checkpoint is there, with its cosignatures; only the note of it was lost
        self._log.mark_published(end, [name for name, _ in objects])

    def _put(self, checkpoint: bytes) -> None:
        """Publishes a checkpoint that is committed, once as many witnesses have cosigned it as the policy waits for."""
        hashes = self._publisher.settle()
        note = checkpoint if self._witnesses is None else self._witnesses.gather(checkpoint, hashes.read)
        self._publisher.finish(note)

    def _complete(self, witnesses: Witnesses) -> None:
        """Asks again for cosignatures of the published checkpoint, which was published with too few."""
        note = witnesses.gather(self._checkpoint, self._publisher.settle().read)
        if len(note) > len(self._publisher.checkpoint() or b""):
            self._publisher.replace_checkpoint(note)

    def _objects(self) -> list[tuple[str, bytes]]:
        """What is to be published and is what its name says.

        Other bytes would stand there for ever, or stop us where the right ones stand already: they are left out, and
        said once. A writer that knows the right ones puts them there (``Records``).
        """
        found = self._log.unpublished_objects()
        right = [(name, data) for name, data in found if sha256(data).hexdigest() == name]
        wrong = {name for name, _ in found} - {name for name, _ in right}
        for name in sorted(wrong - self._wrong):
            self._alarm(LedgerError(f"object {name}: other bytes in the database than its name says"))
        self._wrong = wrong
        return right

    def _sign(self, state: LogState, leaves: Sequence[bytes], tree: CompactRange) -> bytes:
        if state.size != tree.size:
            raise LedgerError("another sequencer has moved the log")
        if not state.size and unpack_leaf(leaves[0]).kind != "genesis":
            raise LedgerError("the first leaf is not the genesis")
        for leaf in leaves:
            tree.append(leaf_hash(leaf))
        self._checkpoint = sign_checkpoint(
            Checkpoint(self._key.name, tree.size, tree.root()), self._key, self._keystore
        )
        return self._checkpoint

    def _close_the_dead(self) -> None:
        for writer in self._log.open_writers():
            lock = self._locks.take_over(writer)
            if lock is None:
                continue
            try:
                self._close(writer)
            except BaseException:
                lock.release()
                raise
            lock.remove()

    def _close(self, writer: UUID) -> None:
        # our own writer is begun before the transaction: it has one of its own
        now = self._clock.now()
        self._writer.open(now)
        drafts: list[Draft] = []

        def closing(highest: int, missing: list[int]) -> NewRecord:
            evidence = closing_evidence(writer, highest, missing)
            drafts.append(self._writer.draft("closing", self._randomness.uuid(), now, evidence))
            return self._writer.row(drafts[0])

        try:
            self._log.close_writer(writer, closing)
        except BaseException:
            for draft in drafts:  # or our own counters would have a gap until we are closed ourselves
                self._writer.abandon(draft)
            raise
        for draft in drafts:
            self._writer.settled(draft)
