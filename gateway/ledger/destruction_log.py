"""The destructions of a log, for one command: found, written, and shown by the published log (DESIGN L9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.destruction import DestructionWriter, recorded_destructions
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.storage import connected_purging
from gateway.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.ledger.locks import Lives
    from gateway.ledger.reader import LogReader
    from gateway.ledger.storage import Purging
    from gateway.ports import Clock, Randomness


class DestructionLog:
    """The destructions of one log; ``close`` it."""

    def __init__(self, rows: Purging, writer: DestructionWriter, reader: LogReader, close: Callable[[], None]) -> None:
        """``close`` ends the writer and the connections."""
        self._rows = rows
        self._writer = writer
        self._reader = reader
        self._close = close

    def close(self) -> None:
        """Gives everything back."""
        self._close()

    def span(self, period: int) -> tuple[int, int] | None:
        """The first and the last index of a period's sealed kinds; None for a period that has none."""
        return self._rows.span(period)

    def find(self, document: bytes) -> bytes | None:
        """The leaf of a destruction of this document, where there is one and it is sequenced."""
        found = recorded_destructions(self._rows.destructions())
        return next((item.leaf for item in found if item.texts.document == document), None)

    def write(self, evidence: Callable[[datetime], bytes]) -> bytes:
        """The leaf, once it is on the disk; raises what ``evidence`` raises, and as DestructionWriter does."""
        return self._writer.write(evidence)

    def shows(self, leaf: bytes) -> bool:
        """Whether the published log has this leaf under its signed root; raises LedgerError where it cannot be read."""
        found = next((row for row in self._rows.destructions() if row.leaf == leaf), None)
        if found is None or found.index is None:
            return False
        return self._reader.inclusion(found.index, leaf_hash(leaf)) is not None


def open_destruction_log(
    url: str, *, reader: LogReader, locks: Lives, clock: Clock, randomness: Randomness
) -> DestructionLog:
    """The destructions of a log, to be read and added to; gateways may run meanwhile.

    Args:
        url: of a database that holds a log.
        reader: the published log.
        locks: who lives.
        clock: the leaves' time.
        randomness: ids and salts.
    """
    records, rows, dispose = connected_purging(url)
    writer = Writer(records, role="command", locks=locks, randomness=randomness, period_key=None)

    def close() -> None:
        writer.close()
        dispose()

    return DestructionLog(rows, DestructionWriter(records, writer, clock, randomness), reader, close)
