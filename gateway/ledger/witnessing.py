"""Cosignatures for a checkpoint, between its COMMIT and its publication (DESIGN L6, L7; C2SP tlog-witness)."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import LedgerError, PasserelleError
from gateway.ledger.cosignature import read_cosignatures, verify_cosignature
from gateway.ledger.encoding import FormatError, encode64
from gateway.ledger.merkle import consistency_proof
from gateway.ledger.note import DASH, parse_note
from gateway.ledger.post import PostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.cosignature import WitnessKey
    from gateway.ledger.merkle import ReadHash
    from gateway.ledger.note import Checkpoint, NoteSignature
    from gateway.ledger.post import Post
    from gateway.ports import Clock

DEADLINE_SECONDS = 0.8
#: Not reached: asked again after so long, while nothing new is published.
AGAIN_SECONDS = 5.0
_SIZE_TYPE = "text/x.tlog.size"
_TEXT_TYPE = "text/plain; charset=utf-8"
_OK, _CONFLICT = 200, 409
#: A first try, a second with the size that a 409 taught, a third where that has moved on meanwhile.
_TRIES = 3
_LONGEST_SIZE = 20


class WitnessesMissingError(PasserelleError):
    """Fewer witnesses cosigned than the policy demands, and it says that publication waits for them."""


class LogBehindError(LedgerError):
    """A witness has seen more of this log, or another one: the database was put back, or the log forked (L7)."""


@dataclass(frozen=True, slots=True)
class WitnessAt:
    """A witness of the policy: its name there, its key, and the address before ``/add-checkpoint``."""

    name: str
    key: WitnessKey
    url: str


@dataclass(frozen=True, slots=True)
class WitnessRule:
    """What the policy demands; ``waits``: nothing is published below the quorum."""

    witnesses: tuple[WitnessAt, ...] = ()
    quorum: int = 0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What came of asking, for whoever watches.

    Attributes:
        size: of the checkpoint.
        quorum: what the policy demands.
        cosigned: names of the witnesses that did.
        failed: the others and why: ``late``, ``unreachable``, ``too_slow``, ``too_large``, ``invalid``, or
            ``http_`` and a status.
        waits: whether publication waits for them.
    """

    size: int
    quorum: int
    cosigned: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    waits: bool

    @property
    def reached(self) -> bool:
        """Whether they are enough."""
        return len(self.cosigned) >= self.quorum


class _Refused(Exception):
    """One witness did not cosign; the text is a stable word."""


class Witnesses:
    """Asks all of them at once, and waits for as many as the policy demands, for less than a second."""

    def __init__(
        self,
        rule: Callable[[], WitnessRule],
        connect: Callable[[], Post],
        clock: Clock,
        tell: Callable[[Cosigned], None],
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """``rule`` is asked for each checkpoint, so that another policy counts at once; ``connect`` is for one peer."""
        self._rule = rule
        self._connect = connect
        self._clock = clock
        self._tell = tell
        self._deadline = deadline_seconds
        self._peers: dict[str, _Peer] = {}
        self._again: float | None = None

    @property
    def lacking(self) -> bool:
        """Whether the last checkpoint has too few cosignatures, and it is time to ask again."""
        return self._again is not None and self._clock.monotonic() >= self._again

    def check(self, note: bytes) -> None:
        """Before anything is published: no witness has seen a larger tree, or another one of this size (L7).

        One that cannot be reached says nothing, and is asked again with the first checkpoint. Raises LogBehindError.
        """
        checkpoint = parse_note(note).checkpoint
        self._ask(self._rule(), note, checkpoint, None, wait_for_all=True)

    def gather(self, note: bytes, read: ReadHash) -> bytes:
        """The note, with the cosignatures that came in time.

        Args:
            note: signed by the log, and committed.
            read: the hashes of its tree, all of them on the disk.

        Raises:
            WitnessesMissingError: too few came, and the policy says that publication waits.
            LogBehindError: a witness has seen more than this.
        """
        rule = self._rule()
        if not rule.witnesses:
            self._again = None
            return note
        checkpoint = parse_note(note).checkpoint
        lines, failed = self._ask(rule, note, checkpoint, read, wait_for_all=False)
        found = Cosigned(checkpoint.size, rule.quorum, tuple(sorted(lines)), tuple(sorted(failed.items())), rule.waits)
        self._again = None if found.reached else self._clock.monotonic() + AGAIN_SECONDS
        self._tell(found)
        if not found.reached and rule.waits:
            raise WitnessesMissingError(f"{len(lines)} of {rule.quorum} witnesses have cosigned {checkpoint.size}")
        return note + b"".join(_text(lines[name]) for name in found.cosigned)

    def _ask(
        self, rule: WitnessRule, note: bytes, checkpoint: Checkpoint, read: ReadHash | None, *, wait_for_all: bool
    ) -> tuple[dict[str, NoteSignature], dict[str, str]]:
        answers: queue.SimpleQueue[tuple[str, NoteSignature | Exception]] = queue.SimpleQueue()
        failed: dict[str, str] = {}
        waiting: set[str] = set()
        for at in rule.witnesses:
            peer = self._peers.get(at.key.vkey)
            if peer is None or peer.at != at:
                peer = self._peers[at.key.vkey] = _Peer(at, self._connect())
            failed[at.name] = "late"
            if peer.begin(note, checkpoint, read, self._deadline, answers.put):
                waiting.add(at.name)
        lines: dict[str, NoteSignature] = {}
        end = self._clock.monotonic() + self._deadline
        while waiting and (wait_for_all or len(lines) < rule.quorum):
            try:
                name, answer = answers.get(timeout=max(0.0, end - self._clock.monotonic()))
            except queue.Empty:
                break
            waiting.discard(name)
            if isinstance(answer, LogBehindError):
                raise answer
            if isinstance(answer, Exception):
                failed[name] = str(answer)
            else:
                lines[name] = answer
                del failed[name]
        return lines, failed


class _Peer:
    """One witness as we know it: how far it is, and whether it still has a request of ours."""

    def __init__(self, at: WitnessAt, post: Post) -> None:
        self.at = at
        self._post = post
        self._size: int | None = None
        self._busy = threading.Lock()
        #: what it said of the log after nobody waited for it any more
        self._late: LogBehindError | None = None

    def begin(
        self,
        note: bytes,
        checkpoint: Checkpoint,
        read: ReadHash | None,
        seconds: float,
        done: Callable[[tuple[str, NoteSignature | Exception]], None],
    ) -> bool:
        """Asks in a thread of its own; False while the request before still hangs, and nothing is asked."""
        if not self._busy.acquire(blocking=False):
            return False

        def run() -> None:
            try:
                if self._late is not None:
                    raise self._late
                done((self.at.name, self._cosignature(note, checkpoint, read, seconds)))
            except LogBehindError as behind:
                self._late = behind
                done((self.at.name, behind))
            except PostError as error:
                done((self.at.name, _Refused(error.reason)))
            except _Refused as refused:
                done((self.at.name, refused))
            except OSError:
                # the log has grown past this size meanwhile, and the tiles of its edge are gone
                done((self.at.name, _Refused("late")))
            finally:
                self._busy.release()

        threading.Thread(target=run, name=f"witness {self.at.name}", daemon=True).start()
        return True

    def _cosignature(self, note: bytes, checkpoint: Checkpoint, read: ReadHash | None, seconds: float) -> NoteSignature:
        # without the tree nothing is proven: the same size again, which tells how far the witness is
        old = checkpoint.size if read is None else min(self._size or 0, checkpoint.size)
        for _ in range(_TRIES):
            proof = [] if read is None else consistency_proof(old, checkpoint.size, read)
            head = "".join([f"old {old}\n", *(f"{encode64(step)}\n" for step in proof), "\n"])
            answer = self._post(f"{self.at.url.rstrip('/')}/add-checkpoint", head.encode() + note, _TEXT_TYPE, seconds)
            if answer.status == _OK:
                self._size = checkpoint.size
                return self._line(answer.body, checkpoint)
            if answer.status != _CONFLICT or answer.content_type != _SIZE_TYPE:
                raise _Refused(f"http_{answer.status}")
            self._size = _size(answer.body)
            if self._size > checkpoint.size:
                raise LogBehindError(
                    f"the database is behind what the witness {self.at.name} has seen ({checkpoint.size} < "
                    f"{self._size}): was it put back? see `passerelle log recover`"
                )
            if self._size == checkpoint.size == old:
                raise LogBehindError(
                    f"the witness {self.at.name} has seen another log of the size {old}: the database was put back, "
                    "or the log's key signs elsewhere"
                )
            if read is None or self._size == old:
                break
            old = self._size
        raise _Refused("http_409")

    def _line(self, body: bytes, checkpoint: Checkpoint) -> NoteSignature:
        try:
            ours = [line for line in read_cosignatures(body) if self.at.key.wrote(line)]
            verify_cosignature(checkpoint, ours[0], self.at.key)
        except (FormatError, IndexError):
            raise _Refused("invalid") from None
        return ours[0]


def _size(body: bytes) -> int:
    text = body.removesuffix(b"\n")
    if not text.isdigit() or len(text) > _LONGEST_SIZE:
        raise _Refused("invalid")
    return int(text)


def _text(line: NoteSignature) -> bytes:
    return f"{DASH}{line.name} {encode64(line.key_id + line.signature)}\n".encode()
