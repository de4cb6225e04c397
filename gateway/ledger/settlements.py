"""An operator's word on an effect of which nobody knew what became, as a leaf (DESIGN L4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.evidence import settlement_evidence
from gateway.ledger.storage import connected_purging
from gateway.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from gateway.change import Change
    from gateway.ledger.locks import Lives
    from gateway.ports import Clock, Randomness


class SettlementLog:
    """Writes settlements as leaves of one writer of its own; ``close`` it."""

    def __init__(
        self, url: str, *, locks: Lives, clock: Clock, randomness: Randomness, period_key: Callable[[int], bytes]
    ) -> None:
        """Connects; the arguments are those of HandoverLog."""
        records, _, self._dispose = connected_purging(url)
        self._clock = clock
        self._randomness = randomness
        self._writer = Writer(records, role="command", locks=locks, randomness=randomness, period_key=period_key)

    def close(self) -> None:
        """Gives everything back."""
        self._writer.close()
        self._dispose()

    def write(self, exchange_id: UUID, key: bytes, outcome: str, reason: str, change: Change) -> None:
        """The leaf, and with it the change; returns when both are on the disk.

        Raises Refusal where the change cannot be made, and neither is in; NotRecordedError, KeystoreError.
        """
        evidence = settlement_evidence(exchange_id, key, outcome, reason)
        draft = self._writer.draft("intent", self._randomness.uuid(), self._clock.now(), evidence)
        self._writer.commit(draft, changes=(change,))
