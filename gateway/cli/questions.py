"""What the questions to a copy share: the copy and its index, what the answer stands on, why there is none, files."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.audit.questions.disclosures import FOREVER
from gateway.audit.questions.gathering import microseconds
from gateway.audit.questions.index import Indexer, default_index
from gateway.audit.questions.printing import utc
from gateway.cli import audit_words as words
from gateway.cli.output import Exit
from gateway.cli.progress import progress
from gateway.errors import ConfigurationError
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.questions.disclosures import Question
    from gateway.audit.questions.rows import Rows
    from gateway.audit.questions.standing import NoAnswerError, Standing
    from gateway.cli.output import Output

_LOCAL = ZoneInfo("America/Toronto")
_SHOWN = 20
_SUBJECT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a log, its auditor's anchors, and where the index of it is, beside the anchors unless said."""

    log: Path
    trust: Path
    index: Path | None = field(default=None)

    def rows(self, output: Output) -> tuple[Standing, dict[int, Rows]]:
        """What an answer stands on, and the rows; raises NoAnswerError and ConfigurationError as the indexer does."""
        where = self.index or default_index(self.trust)
        indexer = Indexer(self.log, self.trust, where, SystemClock(), SystemRandomness())
        with progress(output) as tell:
            return indexer.rows(tell)


def no_answer(output: Output, error: NoAnswerError) -> Exit:
    """Says why there is no answer, with what an audit found where that is why."""
    verdict = error.verdict
    text = output.t(f"problem.{error.key}", **error.values)
    found = [] if verdict is None else [asdict(finding) for finding in verdict.findings]
    output.result({"holds": False, "error": text, "findings": found})
    output.fail("question.no_answer", text=text)
    for finding in [] if verdict is None else words.findings(output.t, verdict)[:_SHOWN]:
        output.fail("question.line", text=finding.text)
        output.fail("audit.where", where=finding.where, detail=finding.detail)
    return Exit.REFUSED


def standing_lines(output: Output, standing: Standing) -> list[str]:
    """What the answer stands on, and what it cannot see, in sentences."""
    key = "question.standing_fresh" if standing.fresh else "question.standing_index"
    at = words.local(standing.audited_at)
    lines = [output.t(key, origin=standing.origin, size=standing.size, root=standing.root, at=at)]
    lines += [output.t("question.sealed", period=period, count=count) for period, count in standing.sealed]
    lines += [output.t("question.destroyed", period=period, count=count) for period, count in standing.destroyed]
    lines += [output.t("question.expired", period=period) for period in standing.expired]
    return lines


def standing_json(standing: Standing) -> dict[str, object]:
    """The same for scripts."""
    content = asdict(standing)
    for name in ("sealed", "destroyed"):
        content[name] = [{"period": period, "count": count} for period, count in content[name]]
    return content


def instant(text: str | None, default: int, *, whole_day: bool = False) -> int:
    """An instant in microseconds since 1970: RFC 3339 with its offset, or a day in Québec, from its first instant.

    With ``whole_day`` a day means its end, which is the next one's begin. Raises ConfigurationError (time_malformed).
    """
    if text is None:
        return default
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text) + timedelta(days=whole_day)
            return microseconds(datetime.combine(day, time(), _LOCAL))
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigurationError("time_malformed", text=text)
    return microseconds(at)


def window(since: str | None, until: str | None) -> tuple[int, int]:
    """From when, and until when not any more; raises ConfigurationError (time_malformed, window_empty)."""
    begin, end = instant(since, 0), instant(until, FOREVER, whole_day=True)
    if begin >= end:
        raise ConfigurationError("window_empty", since=since, until=until)
    return begin, end


def end_of(question: Question) -> str | None:
    """Until when, in UTC; None where the question leaves it open."""
    return None if question.until == FOREVER else utc(question.until)


def subject_of(text: str | None) -> str | None:
    """A subject as it is asked for, 64 hex digits; raises ConfigurationError (subject_malformed)."""
    if text is not None and not _SUBJECT.fullmatch(text):
        raise ConfigurationError("subject_malformed")
    return text


def write_new(path: Path, content: bytes, log: Path | None = None) -> None:
    """Writes a file that was not there, for its owner alone: an answer is about persons.

    Raises ConfigurationError where it is there, cannot be written, or would lie inside the log.
    """
    if log is not None and path.resolve().is_relative_to(log.resolve()):
        raise ConfigurationError("answer_in_log", path=path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError("answer_exists", path=path) from None
    except OSError as error:
        raise ConfigurationError("file_unwritable", path=path, detail=error.strerror) from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def write_out(content: str) -> None:
    """Bytes as they are to standard output: no newline translated, the mark of UTF-8 kept."""
    sys.stdout.buffer.write(content.encode())
    sys.stdout.buffer.flush()
