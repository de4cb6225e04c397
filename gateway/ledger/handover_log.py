"""A copy of the log for somebody: the copy, and the writing of the leaf that tells of it (DESIGN L2, section 1)."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.storage import connected_purging
from gateway.ledger.tiles import tiles_of
from gateway.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ledger.handover import Handover
    from gateway.ledger.locks import Lives
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.reader import LogReader
    from gateway.ports import Clock, Randomness

_TRIES = 5
_ASIDE = ("objects", "anchors")


def copy_log(source: Path, target: Path, reader: LogReader) -> Checkpoint:
    """Copies a log, which may grow meanwhile: checkpoint first, then the files of that size (L11); gives the former.

    ``target`` is made, and must not be there. Raises LedgerError where the log's files are not there, OSError.
    """
    for _ in range(_TRIES):
        note, checkpoint = reader.checkpoint()
        target.mkdir(parents=True)
        try:
            (target / CHECKPOINT).write_bytes(note)
            for tile in tiles_of(checkpoint.size):
                for path in tile.paths:
                    (target / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / path, target / path)
            for folder in _ASIDE:
                if (source / folder).is_dir():
                    shutil.copytree(source / folder, target / folder)
        except FileNotFoundError:
            shutil.rmtree(target)  # the log grew, and partial files of this size are gone
            continue
        return checkpoint
    raise LedgerError("the log's files are missing under its checkpoint")


class HandoverLog:
    """Writes handovers as leaves of one writer of its own; ``close`` it."""

    def __init__(
        self, url: str, *, locks: Lives, clock: Clock, randomness: Randomness, period_key: Callable[[int], bytes]
    ) -> None:
        """Connects.

        Args:
            url: of a database that holds a log; gateways may run meanwhile.
            locks: who lives.
            clock: the leaves' time.
            randomness: ids, salts, the data key.
            period_key: gives a month's raw public key: the kind is sealed.
        """
        records, _, self._dispose = connected_purging(url)
        self._clock = clock
        self._randomness = randomness
        self._writer = Writer(records, role="command", locks=locks, randomness=randomness, period_key=period_key)

    def close(self) -> None:
        """Gives everything back."""
        self._writer.close()
        self._dispose()

    def write(self, handover: Handover) -> bytes:
        """The leaf, once it is on the disk; raises NotRecordedError, StorageUnavailableError, KeystoreError."""
        draft = self._writer.draft("handover", self._randomness.uuid(), self._clock.now(), handover.evidence())
        self._writer.commit(draft, party=handover.recipient)
        return draft.leaf


def release_copy(kept: Path, target: Path) -> None:
    """Gives a copy its name, once it is recorded; raises OSError."""
    os.rename(kept, target)  # noqa: PTH104 - as in rename(2), the step that releases
