"""A refusal as a program meets it: signed, recorded, kept, with what to do next in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.client.failed import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from gateway.client.verifier import VerifiedAnswer


class RefusedError(CallError):
    """The gateway refused, under its signature; the refusal is recorded, and its answer is kept.

    Attributes:
        code: stable, of docs/errors.
        status: of HTTP.
        problem: the signed body (RFC 9457): titles and what to do next, in French and English.
        exchange_id: of the refusal.
        receipt: the file with the signed answer.
        retry_after: seconds after which it may be otherwise; None where it will not be by itself.
        idempotency_key: as of every CallError.
    """

    def __init__(self, answer: VerifiedAnswer, problem: Mapping[str, Any], receipt: Path) -> None:
        code, after = str(problem.get("code", "")), problem.get("retry_after")
        super().__init__("refused", code=code, exchange_id=answer.exchange_id)
        self.code = code
        self.status = answer.status
        self.problem = problem
        self.exchange_id = answer.exchange_id
        self.receipt = receipt
        self.retry_after = after if isinstance(after, int) else None

    def title(self, language: str) -> str:
        """What happened, for a person; ``language`` is fr or en."""
        return str(self.problem.get(f"title_{language}", self.problem.get("title", "")))

    def next_step(self, language: str) -> str:
        """What to do next, for a person."""
        return str(self.problem.get(f"detail_{language}", self.problem.get("detail", "")))
