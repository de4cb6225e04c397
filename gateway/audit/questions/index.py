"""The index: made from a log that an audit found to hold, extended when the log grew, and never more than that log.

A question on a log that did not grow since costs no audit: the index says of which checkpoint it is, and each answer
is shown by its leaf (disclosures.py). Any other checkpoint is audited first.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.audit.audit import audit
from gateway.audit.files import CHECKPOINT, LogFolder
from gateway.audit.objects import Objects
from gateway.audit.questions.gathering import Gathering
from gateway.audit.questions.standing import NoAnswerError, Standing
from gateway.audit.questions.store import Head, IndexFolder
from gateway.audit.questions.walk import Walk
from gateway.audit.trust import load_trust
from gateway.audit.verdict import Problem
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError, canonical_json, timestamp
from gateway.ledger.note import verify_note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from gateway.audit.questions.rows import Rows
    from gateway.audit.questions.store import Part
    from gateway.audit.trust import Trust
    from gateway.audit.verdict import Verdict
    from gateway.ledger.note import Checkpoint
    from gateway.ports import Clock, Randomness

    Progress = Callable[[str, int, int], None]


def default_index(trust: Path) -> Path:
    """Beside the auditor's anchors: it is made with their keys, and is as private."""
    trust = trust.absolute()
    return trust.with_name(f"{trust.name}.index")


class Indexer:
    """Gives the rows of a log, from its index where that is of this log, else from its evidence."""

    def __init__(self, log: Path, trust: Path, index: Path, clock: Clock, randomness: Randomness) -> None:
        """Raises ConfigurationError where an anchor is unusable, or the index would lie inside the log."""
        if index.resolve().is_relative_to(log.resolve()):
            raise ConfigurationError("index_in_log", path=index)
        self._log, self._trust_folder = log, trust
        self._trust: Trust = load_trust(trust)
        self._store = IndexFolder(index, self._trust.log_key.name, self._trust.periods, randomness)
        self._clock = clock

    def rows(self, tell: Progress = lambda _step, _done, _total: None) -> tuple[Standing, dict[int, Rows]]:
        """What the answer stands on, and the rows of each period that the auditor's keys open.

        ``tell`` hears the audit's steps, then ``index``. Raises NoAnswerError where the log does not hold, is older
        than what was indexed, or is another one; ConfigurationError like an audit.
        """
        expired = self._store.expire()
        head, rows = self._kept()
        if head is not None and (head.note, head.anchors) == (self._note(), _digest(self._trust)):
            return self._standing(head, expired, fresh=False), rows
        verdict = audit(self._log, self._trust_folder, progress=tell)
        if not verdict.holds:
            raise NoAnswerError("log_fails", verdict, count=len(verdict.findings))
        head, rows = self._grown(verdict, head, rows, lambda done: tell("index", done, verdict.facts.size))
        return self._standing(head, expired, fresh=True), rows

    def _kept(self) -> tuple[Head | None, dict[int, Rows]]:
        """What the index holds; nothing where it is not whole: then it is made again."""
        head = self._store.head()
        try:
            return head, {} if head is None else self._store.rows(head)
        except FormatError:
            return None, {}

    def _note(self) -> str:
        try:
            return LogFolder(self._log).read(CHECKPOINT).decode(errors="replace")
        except Problem:
            return ""

    def _grown(
        self, verdict: Verdict, head: Head | None, rows: Mapping[int, Rows], tell: Callable[[int], None]
    ) -> tuple[Head, dict[int, Rows]]:
        checkpoint = verify_note(verdict.note.encode(), self._trust.log_key)
        if head is not None and checkpoint.size < head.size:
            raise NoAnswerError("copy_older_than_index", size=checkpoint.size, indexed=head.size)
        now = self._clock.now()
        try:
            gathered, parts = self._extended(checkpoint, head, rows, tell)
        except (Problem, FormatError) as error:
            # it was audited a moment ago
            raise NoAnswerError("copy_changed", detail=error) from error
        made = _head(verdict, checkpoint, now, parts, _digest(self._trust))
        before = {} if head is None else head.parts
        changed = {period: content for period, content in gathered.items() if parts[period] != before.get(period)}
        return self._store.write(made, changed), gathered

    def _extended(
        self, checkpoint: Checkpoint, head: Head | None, rows: Mapping[int, Rows], tell: Callable[[int], None]
    ) -> tuple[dict[int, Rows], dict[int, Part]]:
        """The rows with those of the leaves since.

        Where evidence was ever destroyed all is read anew: that leaf comes first, and its records go later. Raises
        NoAnswerError (not_the_indexed_log) where the log had another root when it was indexed.
        """
        folder, size = LogFolder(self._log), 0 if head is None else head.size
        walk = Walk(folder, checkpoint, self._trust.periods, size)
        since, gather = size, Gathering(Objects(folder), rows, {} if head is None else head.parts, self._trust.periods)
        if size and any(seen.leaf.kind == "destruction" for seen in walk.leaves(checkpoint.size)):
            since, gather = 0, Gathering(Objects(folder), {}, {}, self._trust.periods)
        for seen in walk.leaves(since, tell):
            if seen.index >= since:
                gather.take(walk, seen)
        if head is not None and (walk.marked or b"").hex() != head.root:
            raise NoAnswerError("not_the_indexed_log", size=size)
        return gather.rows, gather.parts

    def _standing(self, head: Head, expired: tuple[int, ...], *, fresh: bool) -> Standing:
        parts = sorted(head.parts.items())
        return Standing(
            origin=self._trust.log_key.name,
            size=head.size,
            root=head.root,
            audited_at=head.audited_at,
            fresh=fresh,
            unproven=head.unproven,
            unacknowledged=head.unacknowledged,
            sealed=tuple(
                (period, part.leaves - part.destroyed)
                for period, part in parts
                if period not in self._trust.periods and part.leaves > part.destroyed
            ),
            destroyed=tuple((period, part.destroyed) for period, part in parts if part.destroyed),
            expired=expired,
            note=head.note,
        )


def _digest(trust: Trust) -> str:
    """Of the anchors that an audit rests on, its period keys apart: under others it must be done again."""
    anchors = {
        "log": trust.log_key.vkey,
        "genesis": trust.genesis,
        "roots": {party: [sha256(der).hexdigest() for der in ders] for party, ders in trust.roots.items()},
        "witnesses": [key.vkey for key in trust.witnesses],
        "quorum": trust.quorum,
        "authorities": {name: [sha256(der).hexdigest() for der in ders] for name, ders in trust.authorities.items()},
    }
    return sha256(canonical_json(anchors)).hexdigest()


def _head(verdict: Verdict, checkpoint: Checkpoint, now: datetime, parts: Mapping[int, Part], anchors: str) -> Head:
    return Head(
        note=verdict.note,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        anchors=anchors,
        audited_at=timestamp(now),
        unproven=tuple(word.value for word in verdict.unproven),
        unacknowledged=verdict.facts.unacknowledged,
        parts=parts,
    )
