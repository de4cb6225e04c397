"""The witness's judgement: a checkpoint is cosigned if it extends the one before, and kept before it is (C2SP)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.ledger.cosignature import cosign
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import EMPTY_ROOT, ProofError, verify_consistency
from gateway.ledger.note import Checkpoint
from gateway.witness.request import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.ledger.cosignature import WitnessKey
    from gateway.ledger.note import LogKey
    from gateway.ports import Clock
    from gateway.witness.memory import Memory
    from gateway.witness.request import AddCheckpoint

TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"
_COSIGNED, _MALFORMED, _NOT_SIGNED, _UNKNOWN, _CONFLICT, _NOT_PROVEN = 200, 400, 403, 404, 409, 422


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answers: an HTTP status with its body."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = TEXT


class Witness:
    """Cosigns the checkpoints of the logs that it was given, one after the other for each."""

    def __init__(
        self, key: WitnessKey, sign: Callable[[bytes], bytes], logs: Iterable[LogKey], memory: Memory, clock: Clock
    ) -> None:
        """``sign`` is Ed25519 with the private half of ``key``; each log has one key, which is its origin's."""
        self._key = key
        self._sign = sign
        self._logs = {log.name: (log, threading.Lock()) for log in logs}
        self._memory = memory
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Reply:
        """The answer to a request's body.

        Raises OSError where nothing can be kept, and FormatError where the memory is damaged: then nothing is signed.
        """
        try:
            request = read_request(body)
        except FormatError as error:
            return _said(_MALFORMED, str(error))
        known = self._logs.get(request.signed.checkpoint.origin)
        if known is None:
            return _said(_UNKNOWN, "no such log here")
        log, lock = known
        try:
            checkpoint = request.signed.verify(log)
        except FormatError as error:
            return _said(_NOT_SIGNED, str(error))
        if request.old > checkpoint.size:
            return _said(_MALFORMED, "the old size is above the checkpoint's")
        # from the look into the memory until what is new stands in it, no other request of this log comes between
        with lock:
            return self._judge(log, request, checkpoint)

    def _judge(self, log: LogKey, request: AddCheckpoint, checkpoint: Checkpoint) -> Reply:
        last = self._memory.last(log) or Checkpoint(log.name, 0, EMPTY_ROOT)
        if request.old != last.size:
            return _conflict(last)
        if checkpoint.size == last.size and checkpoint.root != last.root:
            self._memory.keep_fork(log, request.note)
            return _conflict(last)
        try:
            verify_consistency(last.size, last.root, checkpoint.size, checkpoint.root, request.proof)
        except ProofError as error:
            return _said(_NOT_PROVEN, str(error))
        # Kept, then signed: a crash between the two leaves a checkpoint that the log asks about again and gets.
        if checkpoint.size > last.size:
            self._memory.keep(log, request.note)
        at = int(self._clock.now().timestamp())
        return Reply(_COSIGNED, cosign(checkpoint, self._key, at, self._sign))


def _said(status: int, why: str) -> Reply:
    return Reply(status, f"{why}\n".encode())


def _conflict(last: Checkpoint) -> Reply:
    return Reply(_CONFLICT, f"{last.size}\n".encode(), SIZE)
