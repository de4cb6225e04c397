"""The offline audit: a copy of the log and the auditor's own anchors in, a verdict out (DESIGN L11)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.audit.files import CHECKPOINT, LogFolder
from gateway.audit.kept import Kept, has_kept
from gateway.audit.later import check_later
from gateway.audit.leaves import Leaves
from gateway.audit.objects import Objects
from gateway.audit.receipts import Receipts
from gateway.audit.report import Report
from gateway.audit.tree import Tree
from gateway.audit.trust import REMEMBERED, load_trust
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import parse_note

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from gateway.audit.trust import Trust
    from gateway.audit.verdict import Verdict
    from gateway.ledger.note import Checkpoint

    Progress = Callable[[str, int, int], None]

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """What parties bring beside the log.

    Attributes:
        now: the auditor's present, by which promises must be kept.
        receipts: a folder of receipts as `call` leaves them, or None.
        kept: a folder of bodies as `call` keeps them, or None.
    """

    now: datetime
    receipts: Path | None = None
    kept: Path | None = None


def audit(log: Path, trust: Path, *, progress: Progress | None = None, beside: Beside | None = None) -> Verdict:
    """The verdict on a log's directory.

    Whatever is wrong inside the directory is a finding, never an exception.

    Args:
        log: the copy, or a log that still grows: then the checkpoint is taken again when it moved on meanwhile, or
            when a partial file of the size before it was just being removed.
        trust: the auditor's anchors (trust.py).
        progress: told the step (``objects``, ``entries``), what is done of it, and its total.
        beside: what parties kept, to be held against the log too.

    Raises:
        ConfigurationError: the log or a folder beside it is no directory, or an anchor is missing or unreadable;
            or there is no log, or nothing to compare, in such a folder.
    """
    anchors = load_trust(trust)
    for needed in (log, *((beside.receipts, beside.kept) if beside else ())):
        if needed is not None and not needed.is_dir():
            raise ConfigurationError("folder_missing", path=needed)
    _check_folders(log, beside)
    folder = LogFolder(log)
    tell = progress or (lambda _step, _done, _total: None)
    for _ in range(_TRIES - 1):
        note = _note(folder)
        verdict = _audit(folder, anchors, note, tell, beside)
        if verdict.holds or note is None or (_note(folder) == note and not _gone(log, verdict)):
            return verdict
    return _audit(folder, anchors, _note(folder), tell, beside)


def remember(verdict: Verdict, trust: Path) -> None:
    """Keeps the checkpoint that was audited among the anchors, for the next audit to extend.

    Raises ConfigurationError where the verdict does not hold, or the file cannot be written.
    """
    if not verdict.holds:
        raise ConfigurationError("not_remembered")
    target = trust / REMEMBERED
    temporary = target.with_name(f".{REMEMBERED}.new")
    try:
        temporary.write_bytes(verdict.note.encode())
        temporary.replace(target)
    except OSError as error:
        raise ConfigurationError("file_unwritable", path=target, detail=error.strerror) from None


def _audit(folder: LogFolder, trust: Trust, note: bytes | None, tell: Progress, beside: Beside | None) -> Verdict:
    report = Report()
    first_audit = trust.remembered is None
    try:
        # 1  the log's key signed this size and root, and the log has grown since the last audit
        checkpoint = report.checkpoint = _checkpoint(note, trust)
        _check_grown(checkpoint, trust)
    except Problem as problem:
        report.problem(problem, file=CHECKPOINT)
    size = report.checkpoint.size if report.checkpoint else 0
    # 2  the directory holds the files of that size, and no others
    listing = folder.listing(size)
    for misplaced in listing.problems:
        report.problem(misplaced)
    objects = Objects(folder)
    objects.check(listing.objects, report, lambda done: tell("objects", done, len(listing.objects)))
    if report.checkpoint is None or note is None:
        return report.verdict("", first_audit=first_audit)
    # 3  every entry, its record, and the hashes over them
    receipts = Receipts(beside.receipts, beside.now, trust, report) if beside and beside.receipts else None
    kept = Kept(beside.kept, objects, report) if beside and beside.kept else None
    leaves = Leaves(trust, objects, report, [watcher for watcher in (receipts, kept) if watcher is not None])
    tree = Tree(folder, report.checkpoint, trust.remembered, receipts.roots() if receipts else None)
    for entry in tree.entries(report, lambda done: tell("entries", done, size)):
        leaves.take(entry)
    leaves.finish()
    # 4  what a copy has beyond its checkpoint
    if listing.later:
        report.unproven.add(Unproven.LATER_FILES)
        check_later(folder, listing.later, size, report)
    return report.verdict(note.decode(), first_audit=first_audit)


def _check_folders(log: Path, beside: Beside | None) -> None:
    """A folder given by mistake must not become a verdict: neither a log that fails, nor a comparison with nothing."""
    if not (os.path.lexists(log / CHECKPOINT) or os.path.lexists(log / "tile")):
        for inside in (log / "log", log / "gateway" / "log"):
            if inside.is_dir():
                raise ConfigurationError("not_a_log_but", path=log, inside=inside)
        raise ConfigurationError("not_a_log", path=log)
    if beside and beside.receipts and not any(beside.receipts.glob("*.json")):
        raise ConfigurationError("receipts_empty", path=beside.receipts)
    if beside and beside.kept and not has_kept(beside.kept):
        raise ConfigurationError("kept_empty", path=beside.kept)


def _gone(log: Path, verdict: Verdict) -> bool:
    """Whether a file that should not be there is not there any more."""
    unknown = [finding.file for finding in verdict.findings if finding.code is Fault.FILE_UNKNOWN]
    return any(not (log / name).exists() for name in unknown)


def _note(folder: LogFolder) -> bytes | None:
    try:
        return folder.read(CHECKPOINT)
    except Problem:
        return None


def _checkpoint(note: bytes | None, trust: Trust) -> Checkpoint:
    if note is None:
        raise Problem(Fault.CHECKPOINT_INVALID, "there is no checkpoint that can be read")
    try:
        signed = parse_note(note)
        checkpoint = signed.verify(trust.log_key)
    except FormatError as error:
        raise Problem(Fault.CHECKPOINT_INVALID, str(error)) from None
    # readers ignore keys that they do not know (C2SP); an auditor wants to know whose they are
    if len(signed.signatures) != 1:
        raise Problem(Fault.CHECKPOINT_INVALID, "signed by a key that is not trusted")
    if not checkpoint.size:
        raise Problem(Fault.CHECKPOINT_INVALID, "the log is empty")
    return checkpoint


def _check_grown(checkpoint: Checkpoint, trust: Trust) -> None:
    remembered = trust.remembered
    if remembered is not None and checkpoint.size < remembered.size:
        raise Problem(Fault.LOG_SHRANK, f"smaller than it was at the last audit ({remembered.size})")
