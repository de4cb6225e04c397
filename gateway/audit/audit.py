"""The offline audit: a copy of the log and the auditor's own anchors in, a verdict out (DESIGN L11)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from gateway.audit.bundle_check import Anchors
from gateway.audit.cosignatures import check_lines, check_quorum
from gateway.audit.files import CHECKPOINT, LogFolder
from gateway.audit.inputs import inputs_of
from gateway.audit.kept import Kept, has_kept
from gateway.audit.later import check_later
from gateway.audit.leaves import Leaves
from gateway.audit.objects import Objects
from gateway.audit.pool import Pool, processes
from gateway.audit.receipts import Receipts, has_receipts
from gateway.audit.remote import RemoteLog
from gateway.audit.report import Report
from gateway.audit.timestamps import Timestamps
from gateway.audit.translate import Translations
from gateway.audit.tree import KnownRoot, Tree
from gateway.audit.trust import REMEMBERED, load_checkpoint, load_trust
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import parse_note

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.audit.files import Source
    from gateway.audit.leaves import Watcher
    from gateway.audit.translate import Retold
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
        receipts: a folder of receipts as `call` or a batch leaves them, or None.
        kept: a folder of bodies as `call` keeps them, or None.
        retold: what both sides of translations kept, or None.
    """

    now: datetime
    receipts: Path | None = None
    kept: Path | None = None
    retold: Retold | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that must be there."""
        retold = () if self.retold is None else (*self.retold.callers, *self.retold.others)
        return tuple(folder for folder in (self.receipts, self.kept, *retold) if folder is not None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an audit goes by."""

    trust: Trust
    beside: Beside | None
    since: Checkpoint | None
    jobs: int | None

    @property
    def earlier(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that the log must have grown from."""
        return tuple(one for one in (self.trust.remembered, self.since) if one is not None)


def audit(
    log: Path | RemoteLog,
    trust: Path,
    *,
    progress: Progress | None = None,
    beside: Beside | None = None,
    since: Path | None = None,
    jobs: int | None = None,
) -> Verdict:
    """The verdict on a log's directory, or on the log at an address.

    Whatever is wrong inside the directory is a finding, never an exception.

    Args:
        log: the copy, or a log that still grows: then the checkpoint is taken again when it moved on meanwhile, or
            when a partial file of the size before it was just being removed.
        trust: the auditor's anchors (trust.py).
        progress: told the step (``objects``, ``entries``), what is done of it, and its total.
        beside: what parties kept, to be held against the log too.
        since: a checkpoint that an earlier audit saw: leaves before it are hashed, and their sealed evidence is not
            opened again.
        jobs: how many processes open evidence; None for one a core where the log is long enough. The verdict is the
            same for any number.

    Raises:
        ConfigurationError: the log or a folder beside it is no directory, or an anchor is missing or unreadable;
            or there is no log, or nothing to compare, in such a folder.
        SourceLostError: the address does not answer.
        ChildProcessError: one of the audit's processes was ended from outside.
    """
    anchors = load_trust(trust)
    _check_folders(log, beside)
    folder = log if isinstance(log, RemoteLog) else LogFolder(log)
    asked = _Asked(anchors, beside, None if since is None else load_checkpoint(since, anchors.log_key), jobs)
    tell = progress or (lambda _step, _done, _total: None)
    for _ in range(_TRIES - 1):
        note = _note(folder)
        verdict = _audit(folder, asked, note, tell)
        if verdict.holds or note is None or (_note(folder) == note and not _gone(folder, verdict)):
            break
    else:
        verdict = _audit(folder, asked, _note(folder), tell)
    return replace(verdict, inputs=inputs_of(trust, verdict.note, since))


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


def _audit(folder: Source, asked: _Asked, note: bytes | None, tell: Progress) -> Verdict:
    report = Report()
    trust, since = asked.trust, asked.since
    first_audit = trust.remembered is None and since is None
    try:
        # 1  the log's key signed this size and root, and the log has grown since the last audit
        checkpoint = report.checkpoint = _checkpoint(note, trust, report)
        for earlier in asked.earlier:
            _check_grown(checkpoint, earlier)
    except Problem as problem:
        report.problem(problem, file=CHECKPOINT)
    size = report.checkpoint.size if report.checkpoint else 0
    # 2  the directory holds the files of that size, and no others
    listing = folder.listing(size)
    if not folder.listed:
        report.unproven.add(Unproven.FILES_NOT_LISTED)
    for misplaced in listing.problems:
        report.problem(misplaced)
    objects = Objects(folder)
    objects.check(listing.objects, report, lambda done: tell("objects", done, len(listing.objects)))
    if report.checkpoint is None or note is None:
        return report.verdict("", first_audit=first_audit)
    # 3  every entry, its record, and the hashes over them
    watchers, roots = _beside(asked, objects, report)
    timestamps = Timestamps(folder, listing.anchors, trust, report, size)
    tree = Tree(folder, report.checkpoint, roots, timestamps)
    anchors = Anchors(str(uuid4()), folder, trust.roots, trust.periods, _wanted(watchers), trust.contracts, trust.apart)
    leaves = Leaves(
        folder,
        trust,
        report,
        watchers,
        checkpoint=report.checkpoint,
        timestamps=timestamps,
        since=since.size if since else 0,
    )
    with leaves, Pool(anchors, processes(asked.jobs, size)) as pool:
        bundles = ((bundle, leaves.prepare(bundle)) for bundle in tree.bundles(report))
        for bundle, part in pool.ordered(bundles):
            leaves.merge(bundle, part)
            tell("entries", bundle.first + len(bundle.leaves), size)
        leaves.finish(pool)
    # 4  what a copy has beyond its checkpoint
    if listing.later:
        report.unproven.add(Unproven.LATER_FILES)
        check_later(folder, listing.later, size, report)
    return report.verdict(note.decode(), first_audit=first_audit, since=since.size if since else None)


def _beside(asked: _Asked, objects: Objects, report: Report) -> tuple[list[Watcher], list[KnownRoot]]:
    """Who waits for exchanges of this log, and the roots that it must have had."""
    beside = asked.beside
    watchers: list[Watcher] = []
    roots = [_known(earlier) for earlier in asked.earlier]
    if beside and beside.receipts:
        receipts = Receipts(beside.receipts, beside.now, asked.trust, objects, report)
        watchers.append(receipts)
        roots += receipts.roots()
    if beside and beside.kept:
        watchers.append(Kept(beside.kept, objects, report))
    if beside and beside.retold:
        watchers.append(Translations(beside.retold, objects, report))
    return watchers, roots


def _wanted(watchers: list[Watcher]) -> frozenset[str] | None:
    wanted = frozenset[str]()
    for watcher in watchers:
        if watcher.wanted is None:
            return None
        wanted |= watcher.wanted
    return wanted


def _known(earlier: Checkpoint) -> KnownRoot:
    forked = Problem(Fault.LOG_FORKED, f"not the log that was remembered at size {earlier.size}")
    return KnownRoot(earlier.size, earlier.root, forked)


def _check_folders(log: Path | RemoteLog, beside: Beside | None) -> None:
    """A folder given by mistake must not become a verdict: neither a log that fails, nor a comparison with nothing."""
    for needed in (log, *(beside.folders if beside else ())):
        if isinstance(needed, Path) and not needed.is_dir():
            raise ConfigurationError("folder_missing", path=needed)
    if isinstance(log, Path) and not (os.path.lexists(log / CHECKPOINT) or os.path.lexists(log / "tile")):
        for inside in (log / "log", log / "gateway" / "log"):
            if inside.is_dir():
                raise ConfigurationError("not_a_log_but", path=log, inside=inside)
        raise ConfigurationError("not_a_log", path=log)
    if beside and beside.receipts and not has_receipts(beside.receipts):
        raise ConfigurationError("receipts_empty", path=beside.receipts)
    kept = (beside.kept, *(beside.retold.callers if beside.retold else ())) if beside else ()
    for bodies in kept:
        if bodies is not None and not has_kept(bodies):
            raise ConfigurationError("kept_empty", path=bodies)


def _gone(folder: Source, verdict: Verdict) -> bool:
    """Whether a file that should not be there is not there any more."""
    unknown = [finding.file for finding in verdict.findings if finding.code is Fault.FILE_UNKNOWN]
    return any(not _is_there(folder, name) for name in unknown)


def _is_there(folder: Source, name: str) -> bool:
    try:
        folder.read(name)
    except Problem as problem:
        return problem.fault is not Fault.FILE_MISSING
    return True


def _note(folder: Source) -> bytes | None:
    try:
        return folder.read(CHECKPOINT)
    except Problem:
        return None


def _checkpoint(note: bytes | None, trust: Trust, report: Report) -> Checkpoint:
    if note is None:
        raise Problem(Fault.CHECKPOINT_INVALID, "there is no checkpoint that can be read")
    try:
        signed = parse_note(note)
        checkpoint = signed.verify(trust.log_key)
    except FormatError as error:
        raise Problem(Fault.CHECKPOINT_INVALID, str(error)) from None
    cosigned = check_lines(signed, trust.log_key, trust.witnesses)
    if not checkpoint.size:
        raise Problem(Fault.CHECKPOINT_INVALID, "the log is empty")
    check_quorum(cosigned, trust.quorum, report, CHECKPOINT)
    return checkpoint


def _check_grown(checkpoint: Checkpoint, earlier: Checkpoint) -> None:
    if checkpoint.size < earlier.size:
        raise Problem(Fault.LOG_SHRANK, f"smaller than it was at the last audit ({earlier.size})")
