"""What an answer stands on: an audit that held, of this checkpoint; and what it cannot see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import ShownError

if TYPE_CHECKING:
    from gateway.audit.verdict import Verdict


class NoAnswerError(ShownError):
    """There is no answer that could be stood for; ``verdict`` is that of a log that does not hold, if that is why."""

    def __init__(self, key: str, verdict: Verdict | None = None, **values: object) -> None:
        super().__init__(key, **values)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """What an answer stands on.

    Attributes:
        origin, size, root: of the checkpoint that was audited; root in hex.
        audited_at: when it was audited, RFC 3339.
        fresh: whether that was for this very question; else the index remembered it.
        unproven: what that audit could not prove; ``unacknowledged``: how many answers without an acknowledgement.
        sealed: exchanges and refusals by period (YYYYMM) that no key of the auditor's opens.
        destroyed: those whose evidence was lawfully destroyed, by period.
        expired: periods whose part of the index was removed just now, since their key is gone.
        note: the signed checkpoint.
    """

    origin: str
    size: int
    root: str
    audited_at: str
    fresh: bool
    unproven: tuple[str, ...]
    unacknowledged: int
    sealed: tuple[tuple[int, int], ...] = ()
    destroyed: tuple[tuple[int, int], ...] = ()
    expired: tuple[int, ...] = ()
    note: str = field(default="", repr=False)
