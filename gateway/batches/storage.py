"""Batches, their lines and the pace, in the database; no NIREC, no name, no outcome in the clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway.batches.batch import Answered, Batch
from gateway.change import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.batches.batch import Asking
    from gateway.storage import Database

# asked for again under its key, it is the same one (docs/decisions/0032), and stays as old as it is
_NEW = """
INSERT INTO batches (id, party, records, rejected, commitment, opened) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING
"""
_BATCH = "SELECT party, records, rejected, commitment, opened FROM batches WHERE id = ?"
# a line is claimed where nobody has asked about it, or whoever did was stopped before there was an answer
_CLAIM = """
INSERT INTO batch_lines (batch, line, asking, asked) VALUES {rows}
ON CONFLICT (batch, line) DO UPDATE SET asking = excluded.asking, asked = excluded.asked
WHERE batch_lines.exchange IS NULL AND batch_lines.asked < ?
"""
_ROW = "(?, ?, ?, ?)"
_ASKING = "SELECT asking, exchange FROM batch_lines WHERE batch = ? AND line = ?"
_GIVE_BACK = "UPDATE batch_lines SET asked = 0 WHERE batch = ? AND line = ? AND asking = ? AND exchange IS NULL"
_ANSWERED = """
UPDATE batch_lines SET exchange = ?, answered = ?, record = ?, sealed = ?
WHERE batch = ? AND line = ? AND exchange IS NULL
"""
_LINE = """
SELECT line, exchange, answered, record, sealed FROM batch_lines WHERE batch = ? AND line = ? AND exchange IS NOT NULL
"""
_LINES = """
SELECT line, exchange, answered, record, sealed FROM batch_lines
WHERE batch = ? AND line > ? AND exchange IS NOT NULL ORDER BY line LIMIT ?
"""
_PAGE = 2000
# Never back: whoever's clock is behind takes of the second that another has begun, so that the rate holds over nodes.
_TAKE = """
INSERT INTO batch_pace (upstream, second, taken) VALUES (?, ?, ?)
ON CONFLICT (upstream) DO UPDATE SET
taken = excluded.taken + CASE WHEN batch_pace.second < excluded.second THEN 0 ELSE batch_pace.taken END,
second = CASE WHEN batch_pace.second < excluded.second THEN excluded.second ELSE batch_pace.second END
WHERE batch_pace.second < excluded.second OR batch_pace.taken + excluded.taken <= ?
"""
_FAR_AHEAD = "DELETE FROM batch_pace WHERE upstream = ? AND second > ? + 5"
_OLD_LINES = "DELETE FROM batch_lines WHERE batch IN (SELECT id FROM batches WHERE opened < ?)"
_OLD = "DELETE FROM batches WHERE opened < ?"


class _Pending:
    """A claim, and afterwards whether it was made."""

    __slots__ = ("asking", "made")

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.made = True


class DatabaseBatches:
    """batches.BatchStore and batches.pace.PaceStore over a Database with ``durable=False``.

    What is durable of a batch is written with its exchanges' records; a claim that is lost with the machine's power is
    one of an exchange that has no record either.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group = database.group(self._write, eager=True)

    def find(self, batch: UUID) -> Batch | None:
        """What was announced; None for no batch."""
        rows = self._database.read_once(_BATCH, (batch.bytes,))
        return Batch(batch, *rows[0]) if rows else None

    def claim(self, asking: Asking) -> bool:
        """Whether the line is this exchange's to ask about; not while another does, nor once it has its answer."""
        pending = _Pending(asking)
        self._group.commit(pending)
        return pending.made

    def _write(self, batch: Sequence[_Pending]) -> Sequence[Exception | None]:
        # one row per line: a statement may not touch the same one twice
        rows = {(one.asking.batch.bytes, one.asking.line): one.asking for one in reversed(batch)}
        values = [
            value for (name, line), one in sorted(rows.items()) for value in (name, line, one.exchange.bytes, one.at)
        ]
        stale = min(one.asking.stale for one in batch)
        made = self._database.write_once(_CLAIM.format(rows=",".join([_ROW] * len(rows))), (*values, stale))
        if made != len(batch):
            for pending in batch:
                pending.made = self._is_asking(pending.asking)
        return [None] * len(batch)

    def _is_asking(self, asking: Asking) -> bool:
        rows = self._database.read_once(_ASKING, (asking.batch.bytes, asking.line))
        return bool(rows) and bytes(rows[0][0]) == asking.exchange.bytes and rows[0][1] is None

    def give_back(self, asking: Asking) -> None:
        """The exchange has ended without an answer: the line may be asked about at once."""
        values = (asking.batch.bytes, asking.line, asking.exchange.bytes)
        self._database.waiting.blocking(lambda: self._database.write_once(_GIVE_BACK, values))

    def answered(self, batch: UUID, line: int) -> Answered | None:
        """A line's answer; None where it has none yet."""
        rows = self._database.read_once(_LINE, (batch.bytes, line))
        return _answered(rows[0]) if rows else None

    def all_answered(self, batch: UUID) -> Iterator[Answered]:
        """Every line that has an answer, in order, a page at a time."""
        last = 0
        while rows := self._database.read_once(_LINES, (batch.bytes, last, _PAGE)):
            yield from map(_answered, rows)
            last = rows[-1][0]

    def take(self, upstream: str, second: int, calls: int, limit: int) -> bool:
        """Takes so many of this second's calls, or of a later one that is begun, if the limit leaves them."""
        values = (upstream, second, calls, limit)
        return bool(self._database.waiting.blocking(lambda: self._database.write_once(_TAKE, values)))

    def begin_anew(self, upstream: str, second: int) -> None:
        """Forgets a second that is far ahead of this one: a clock that was wrong must not keep everybody waiting."""
        self._database.waiting.blocking(lambda: self._database.write_once(_FAR_AHEAD, (upstream, second)))

    def forget(self, before: datetime) -> None:
        """Takes out the batches that were opened before then, with their lines."""
        text = before.isoformat(timespec="seconds")
        with self._database.writing() as connection:
            connection.exec_driver_sql(_OLD_LINES, (text,))
            connection.exec_driver_sql(_OLD, (text,))

    # what an exchange changes, in the transaction of its record

    @staticmethod
    def new(batch: Batch) -> Statement:
        """A batch that is opened, unless it is already."""
        values = (batch.id.bytes, batch.party, batch.records, batch.rejected, batch.commitment, batch.opened)
        return Statement(_NEW, values, rows=None)

    @staticmethod
    def answer(batch: UUID, answer: Answered) -> Statement:
        """A line that has its answer from now on, unless it has one."""
        given = (answer.exchange.bytes, answer.at, answer.record, answer.outcome)
        return Statement(_ANSWERED, (*given, batch.bytes, answer.line), rows=1)


def _answered(row: Sequence[Any]) -> Answered:
    line, exchange, at, record, sealed = row
    return Answered(line, UUID(bytes=bytes(exchange)), at, bytes(record), bytes(sealed))
