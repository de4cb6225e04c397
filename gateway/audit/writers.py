"""Writers and their counters: nothing is missing that is not explained (DESIGN L2, L4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.ledger.leaf import SEALED_KINDS

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.evidence_schema import Closing, Void
    from gateway.audit.report import Report
    from gateway.ledger.leaf import Leaf

#: A counter that an open writer has passed may still be on its way, for as long as Ledger-By promises by default.
IN_FLIGHT = timedelta(seconds=10)


@dataclass(slots=True)
class _Life:
    """What was seen of one writer: counters below ``next`` all are there, ``ahead`` came before their turn."""

    period: int
    file: str
    next: int = 0
    ahead: dict[int, datetime] = field(default_factory=dict)
    opened: bool = False
    closing: Closing | None = None


class Writers:
    """All writers of a log, as its leaves show them."""

    def __init__(self) -> None:
        self._lives: dict[UUID, _Life] = {}
        self._last: datetime | None = None

    def leaf(self, leaf: Leaf, file: str) -> None:
        """Takes a leaf's counter; raises Problem (leaf_repeated, writer_invalid)."""
        life = self._lives.setdefault(leaf.writer, _Life(leaf.period, file))
        life.file = file
        if leaf.counter < life.next or leaf.counter in life.ahead:
            raise Problem(Fault.LEAF_REPEATED, "the writer's counter stands twice")
        life.ahead[leaf.counter] = leaf.time
        while life.next in life.ahead:
            del life.ahead[life.next]
            life.next += 1
        self._last = leaf.time if self._last is None else max(self._last, leaf.time)
        if leaf.period != life.period:
            raise Problem(Fault.WRITER_INVALID, "one writer in two periods")
        if leaf.kind == "opening" and leaf.counter != 0:
            raise Problem(Fault.WRITER_INVALID, "an opening that is not its writer's counter 0")
        life.opened = life.opened or leaf.kind == "opening"
        if leaf.kind in SEALED_KINDS and not life.opened:
            raise Problem(Fault.WRITER_INVALID, "sealed evidence of a writer without an opening before it")

    @staticmethod
    def void(leaf: Leaf, void: Void) -> None:
        """A void leaf holds the counter that it voids as its own; raises Problem (evidence_differs)."""
        if (void.writer, void.counter) != (str(leaf.writer), leaf.counter):
            raise Problem(Fault.EVIDENCE_DIFFERS, "a void leaf that voids another counter")

    def close(self, leaf: Leaf, closing: Closing) -> None:
        """Takes a writer's end; raises Problem (writer_invalid)."""
        life = self._lives.get(UUID(closing.writer))
        if life is None or life.closing is not None or closing.writer == str(leaf.writer):
            raise Problem(Fault.WRITER_INVALID, "closes a writer that is not there, is closed, or closes itself")
        if list(closing.missing) != sorted(set(closing.missing)):
            raise Problem(Fault.EVIDENCE_MALFORMED, "the missing counters are not in order")
        life.closing = closing

    def finish(self, report: Report) -> None:
        """Judges every writer once the last leaf is read."""
        report.writers = len(self._lives)
        for life in self._lives.values():
            try:
                if life.closing is not None:
                    _check_closed(life, life.closing)
                else:
                    report.writers_open += 1
                    report.unproven.add(Unproven.WRITERS_OPEN)
                    self._check_open(life, report)
            except Problem as problem:
                report.problem(problem, file=life.file)

    def _check_open(self, life: _Life, report: Report) -> None:
        if not life.ahead:
            return
        # the counter before the first of these was taken no later than it, and promised within IN_FLIGHT
        following = min(life.ahead.items())[1]
        if self._last is None or self._last - following > IN_FLIGHT:
            raise Problem(Fault.COUNTER_GAP, f"counter {life.next} is missing, and no closing leaf explains it")
        report.unproven.add(Unproven.COUNTERS_IN_FLIGHT)


def _check_closed(life: _Life, closing: Closing) -> None:
    highest = max(life.ahead, default=life.next - 1)
    if highest != closing.highest:
        raise Problem(Fault.COUNTER_GAP, "the closing leaf names another highest counter")
    # counted, never walked through: a forged counter can be as high as it likes
    absent = 0 if not life.ahead else highest + 1 - life.next - len(life.ahead)
    explained = all(life.next <= counter < highest and counter not in life.ahead for counter in closing.missing)
    if len(closing.missing) != absent or not explained:
        raise Problem(Fault.COUNTER_GAP, "counters are missing that the closing leaf does not name, or the reverse")
