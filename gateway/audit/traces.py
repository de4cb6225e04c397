"""What one stretch of evidence leaves behind for the rest of the log to be held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.budgets import budget_rows
from gateway.audit.effects import exchange_row
from gateway.audit.repeats import message_row, nonce_row, notice_row, told_row

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from contracts.loader import Operation
    from gateway.audit.evidence_schema import Exchange
    from gateway.audit.policies import Policy


class Traces:
    """What is left to be judged.

    Rows of what may stand once (repeats.py), of effects (effects.py), and of what was told under a budget (budgets.py);
    and merges, which only their order can judge (subjects.py).
    """

    def __init__(self) -> None:
        self.once = bytearray()
        self.budgets = bytearray()
        self.merges: list[tuple[int, tuple[str, ...]]] = []
        self.effects = bytearray()
        self._index = 0

    def stand_at(self, index: int) -> None:
        """All that comes now is of the leaf of this index."""
        self._index = index

    def nonce(self, key: str, nonce: str, at: datetime) -> None:
        """A nonce that a key's holder claimed; ``key`` is the certificate's hex SHA-256."""
        self.once += nonce_row(self._index, key, nonce, at)

    def message(self, message_id: str) -> None:
        """A MessageID of ours."""
        self.once += message_row(self._index, message_id)

    def effect(self, evidence: Exchange, operation: Operation) -> None:
        """What it says of an effect that another system has."""
        self.effects += exchange_row(self._index, evidence, operation)

    def spent(self, evidence: Exchange, operation: Operation, policy: Policy) -> None:
        """What an exchange took from its agreement's budget."""
        self.budgets += budget_rows(self._index, evidence, operation, policy)

    def notice(self, exchange_id: UUID, ledger: str | None) -> None:
        """An exchange that let a notice of this child wait; or may have, of whomever."""
        self.once += notice_row(self._index, exchange_id, ledger)

    def told(self, exchange_id: UUID, ledger: str) -> None:
        """A delivery of the notice of that exchange, which tells of this child."""
        self.once += told_row(self._index, exchange_id, ledger)

    def merged(self, subjects: tuple[str, ...]) -> None:
        """Subjects by the ledger's hash: the first survives the others."""
        self.merges.append((self._index, subjects))
