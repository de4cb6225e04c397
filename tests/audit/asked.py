"""Questions put to a copy, as the commands put them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.audit.questions.disclosures import Found, Question, find
from gateway.audit.questions.index import Indexer, default_index
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.questions.rows import Rows
    from gateway.audit.questions.standing import Standing


@dataclass
class Asked:
    """One copy, one auditor; ``steps`` are what the last question went through."""

    log: Path
    trust: Path
    steps: set[str] = field(default_factory=set)

    @property
    def index(self) -> Path:
        return default_index(self.trust)

    def rows(self, log: Path | None = None) -> tuple[Standing, dict[int, Rows]]:
        self.steps.clear()
        indexer = Indexer(log or self.log, self.trust, self.index, SystemClock(), SystemRandomness())
        return indexer.rows(lambda step, _done, _total: self.steps.add(step))

    def find(self, **question: Any) -> Found:
        return find(self.rows()[1], Question(**question))
