"""Each leaf in the order of the log: its place, its writer, its policy; and all that only the whole log shows.

Sealed records are not opened here but bundle by bundle elsewhere, perhaps by other processes (bundle_check.py):
``prepare`` gives that work out, ``merge`` takes its outcome in, both in the log's order.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from gateway.audit import evidence_schema as schema
from gateway.audit.acknowledgements import ROW_SIZE as ANSWER_SIZE
from gateway.audit.acknowledgements import leaf_row
from gateway.audit.ancestry import Ancestry
from gateway.audit.budgets import ROW_SIZE as BUDGET_SIZE
from gateway.audit.budgets import BudgetRows, Spans, short
from gateway.audit.bundle_check import EXCHANGES, AnswerRows, OnceRows, Work
from gateway.audit.certificates import Certificates
from gateway.audit.destruction import Destructions
from gateway.audit.effects import ROW_SIZE as EFFECT_SIZE
from gateway.audit.effects import judge_effects
from gateway.audit.handover import check_handover
from gateway.audit.objects import Objects
from gateway.audit.opening import DataKeys
from gateway.audit.policies import Policies, under_one_of
from gateway.audit.recovery import Recoveries
from gateway.audit.remote import SourceLostError
from gateway.audit.repeats import ROW_SIZE as ONCE_SIZE
from gateway.audit.repeats import child, id_row, notice_row
from gateway.audit.spill import Spill
from gateway.audit.subjects import Merges
from gateway.audit.tally import Tally
from gateway.audit.tree import read_bundle
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.audit.writers import Writers
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import KINDS, SEALED_KINDS, unpack_leaf
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from gateway.audit.acknowledgements import Acknowledged
    from gateway.audit.bundle_check import Part
    from gateway.audit.files import Source
    from gateway.audit.pool import Pool
    from gateway.audit.report import Report
    from gateway.audit.timestamps import Timestamps
    from gateway.audit.tree import Bundle, Entry
    from gateway.audit.trust import Trust
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.note import Checkpoint
    from gateway.ledger.record import Record

_KIND = 1  # where a leaf has its kind
_SEALED = frozenset(bytes([KINDS[kind]]) for kind in SEALED_KINDS)
#: An intent and its exchange are seconds apart: so many intents of which only the leaf is known are remembered.
_NEAR = 65_536
#: Rows that an exchange leaves, at most as a rule: its id, its nonce, MessageIDs of two attempts.
_ROWS = 4


@dataclass(slots=True)
class Shown:
    """What the log showed of its exchanges and refusals.

    Attributes:
        last: the latest of their times.
        signers: what the gateway's certificates were checked with, in opened evidence.
    """

    last: datetime | None = None
    signers: dict[schema.Proof, None] = field(default_factory=dict)


class Watcher(Protocol):
    """Something beside the log that exchanges and refusals are held against: receipts, kept bodies."""

    @property
    def wanted(self) -> frozenset[str] | None:
        """The exchange ids that it waits for; None for every one."""
        ...

    def leaf(self, leaf: Leaf, entry: Entry, evidence: schema.Exchange | schema.EarlyRefusal | None) -> None:
        """One leaf of a wanted exchange; ``evidence`` is None where it stays sealed. Raises nothing."""
        ...

    def finish(self, certificates: Certificates, policies: Policies, shown: Shown) -> None:
        """After the last leaf."""
        ...


class Leaves:
    """Takes the bundles of one log, from the first to the last; a context, for what it keeps on disk meanwhile."""

    def __init__(
        self,
        folder: Source,
        trust: Trust,
        report: Report,
        watchers: Sequence[Watcher] = (),
        *,
        checkpoint: Checkpoint,
        timestamps: Timestamps,
        since: int = 0,
    ) -> None:
        """``checkpoint`` is the log's; of leaves before ``since`` no sealed evidence is opened."""
        objects = Objects(folder)
        self._folder = folder
        self._size = size = checkpoint.size
        self._since = since
        self._report = report
        self._watchers = watchers
        self._keys = DataKeys(trust.periods)
        self._writers = Writers()
        self._policies = Policies(objects, trust, report)
        self._in_force: list[tuple[int, datetime, str]] = []
        self._certificates = Certificates(objects, trust.roots)
        self._merges = Merges()
        ancestry = Ancestry(folder, checkpoint)
        self._destructions = Destructions(self._policies, report, ancestry)
        remembered = trust.remembered.size if trust.remembered else 0
        self._recoveries = Recoveries(self._policies, report, ancestry, remembered)
        self._timestamps = timestamps
        self._shown = Shown()
        self._ids = bytearray()
        self._once = Spill(ONCE_SIZE, size * _ROWS)
        self._answers = Spill(ANSWER_SIZE, size)
        self._effects = Spill(EFFECT_SIZE, size)
        self._sealed_intents: deque[bytes] = deque(maxlen=_NEAR)
        self._budgets = Spill(BUDGET_SIZE, size)

    def __enter__(self) -> Self:
        for spill in (self._once, self._answers, self._effects, self._budgets):
            spill.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spill in (self._budgets, self._effects, self._answers, self._once):
            spill.__exit__(kind, error, trace)

    def prepare(self, bundle: Bundle) -> Work | None:
        """Judges what the order of the log decides, and gives the work that is left; None where there is none."""
        opened = bundle.first + len(bundle.leaves) > self._since
        records = None
        if not all(leaf[_KIND : _KIND + 1] in _SEALED for leaf in bundle.leaves):
            # where the bundle is opened too, what is wrong with it is found there
            records = read_bundle(self._folder, bundle.file, len(bundle.leaves), Tally() if opened else self._report)
        left: list[bytes | None] = []
        writers = set()
        for at, packed in enumerate(bundle.leaves):
            leaf = self._take(bundle.entry(at), None if records is None else records[at])
            left.append(None if leaf is None else packed)
            if leaf is not None:
                writers.add(leaf.writer)
        self._once.add(bytes(self._ids))
        self._ids.clear()
        if not opened:
            return None
        return Work(bundle.first, bundle.file, tuple(left), tuple(self._in_force), self._keys.known(writers))

    def merge(self, bundle: Bundle, part: Part | None) -> None:
        """Takes what came of a bundle's work."""
        if part is None:
            return
        self._report.add(part.tally)
        self._once.add(part.once)
        self._answers.add(bytes(part.answers))
        self._effects.add(part.effects)
        self._sealed_intents.extend(part.intents)
        self._budgets.add(part.budgets)
        self._shown.signers |= part.signers
        for index, subjects in part.merges:
            try:
                self._merges.take(subjects)
            except Problem as problem:
                self._problem(problem, bundle, index)
        for index in part.missing:
            self._destructions.missing(index, _parsed(bundle.leaves[index - bundle.first]))
        for index, other in part.others:
            try:
                self._other(index, _parsed(bundle.leaves[index - bundle.first]), other)
            except Problem as problem:
                self._problem(problem, bundle, index)
        for index, evidence in part.shown:
            self._show(bundle.entry(index - bundle.first), evidence)

    def _other(self, index: int, leaf: Leaf, evidence: bytes) -> None:
        if leaf.kind != "handover":
            raise Problem(Fault.KIND_UNSUPPORTED, "a kind of leaf that this audit cannot judge")
        self._report.handover(check_handover(index, leaf, evidence, self._policies))

    def finish(self, pool: Pool) -> None:
        """Judges what only the whole log shows."""
        self._writers.finish(self._report)
        self._destructions.finish()
        self._recoveries.finish()
        self._timestamps.finish()
        children = {child(name): child(now) for name, now in self._merges.today().items()}
        for _, repeated in pool.ordered((None, OnceRows(rows, children)) for rows in self._once.parts()):
            for found in repeated:
                self._late(Problem(found.fault, found.detail), found.index)
        for _, judged in pool.ordered((None, AnswerRows(rows)) for rows in self._answers.parts()):
            self._acknowledged(judged)
        self._judge_effects()
        self._judge_budgets(pool)
        for watcher in self._watchers:
            watcher.finish(self._certificates, self._policies, self._shown)

    def _judge_effects(self) -> None:
        judged = judge_effects(self._effects.parts(), frozenset(self._sealed_intents))
        for index, _, problem in judged.problems:
            self._late(problem, index)
        for intent in judged.unsettled:
            self._report.unsettled(intent)

    def _judge_budgets(self, pool: Pool) -> None:
        merged = {short(name): short(now) for name, now in self._merges.today().items()}
        spans = Spans()
        for _, counted in pool.ordered((None, BudgetRows(rows, merged)) for rows in self._budgets.parts()):
            spans.add(counted)
        spans.count(BudgetRows(bytes(spans.left), {}))
        for index in spans.over():
            self._late(Problem(Fault.OVER_BUDGET, "more subjects in a window than the agreement's budget"), index)

    def _take(self, entry: Entry, record: bytes | None) -> Leaf | None:
        """Checks one leaf, and its record where that is plain; gives it back if its sealed record is to be opened.

        The first thing that is wrong with it goes to the report.
        """
        leaf = None
        try:
            leaf = _parsed(entry.leaf)
            return leaf if self._check(entry, leaf, record) else None
        except Problem as problem:
            self._report.problem(problem, file=entry.file, index=entry.index, exchange_id=_named(leaf))
        except SourceLostError:
            raise
        except Exception:  # noqa: BLE001  a log is a stranger's input: what no check foresaw is a finding, not a crash
            unforeseen = Problem(Fault.UNFORESEEN, "a check could not be carried out")
            self._report.problem(unforeseen, file=entry.file, index=entry.index, exchange_id=_named(leaf))
        return None

    def _check(self, entry: Entry, leaf: Leaf, record: bytes | None) -> bool:
        self._recoveries.leaf(entry.index, self._report.time(leaf.time))
        self._timestamps.leaf(entry, leaf.time, _named(leaf))
        # 1  this leaf stands here once, in its writer's order
        if (leaf.kind == "genesis") != (entry.index == 0):
            raise Problem(Fault.GENESIS_DIFFERS, "the genesis is the first leaf and no other")
        self._writers.leaf(leaf, entry.file)
        self._ids += id_row(entry.index, leaf.exchange_id, exchange=leaf.kind in EXCHANGES)
        if leaf.kind in EXCHANGES:
            self._shown.last = leaf.time if self._shown.last is None else max(self._shown.last, leaf.time)
        # 2  a sealed record is opened elsewhere, unless an earlier audit did so
        if leaf.kind in SEALED_KINDS:
            if entry.index < self._since:
                self._earlier(entry, leaf)
            return entry.index >= self._since
        # 3  a plain one is the one that its leaf binds, and says what is true
        if record is None:
            raise Problem(Fault.RECORD_MISSING, "its bundle cannot be read")
        opened = self._keys.record(leaf, entry.leaf, record)
        if opened is not None:
            self._plain(entry.index, leaf, opened.record)
            self._note_policy(entry.index)
        return False

    def _earlier(self, entry: Entry, leaf: Leaf) -> None:
        self._report.earlier(leaf.kind)
        if leaf.kind == "intent":
            self._sealed_intents.append(leaf.exchange_id.bytes)
        if leaf.kind == "exchange":
            self._once.add(notice_row(entry.index, leaf.exchange_id, None))
            self._answers.add(leaf_row(entry.index, leaf.exchange_id, entry.leaf))
        if leaf.kind in EXCHANGES:
            self._show(entry, None)

    def _plain(self, index: int, leaf: Leaf, record: Record) -> None:
        match leaf.kind:
            case "genesis":
                self._policies.begin(schema.read_evidence(record.evidence, schema.Genesis), leaf.time)
            case "policy":
                act = schema.read_evidence(record.evidence, schema.PolicyAct)
                if not self._recoveries.take(index, leaf, act):
                    self._policies.act(act, leaf.time)
            case "opening":
                opening = schema.read_evidence(record.evidence, schema.Opening)
                under_one_of(self._policies.possible(leaf.time), lambda policy: self._keys.open(leaf, opening, policy))
            case "void":
                self._writers.void(leaf, schema.read_evidence(record.evidence, schema.Void))
            case "closing":
                self._writers.close(leaf, schema.read_evidence(record.evidence, schema.Closing))
            case "anchor":
                anchor = schema.read_evidence(record.evidence, schema.Anchor)
                self._timestamps.anchor(index, anchor)
                self._recoveries.anchored(anchor.size)
            case "destruction":
                self._destructions.take(index, leaf, record.evidence)
            case _:
                raise Problem(Fault.KIND_UNSUPPORTED, "a kind of leaf that this audit cannot judge")

    def _note_policy(self, index: int) -> None:
        for since, policy in self._policies.rows[len(self._in_force) :]:
            self._in_force.append((index, since, policy.sha256))

    def _show(self, entry: Entry, evidence: bytes | None) -> None:
        """Hands a wanted exchange to those who wait for it; evidence that cannot be read is a finding already."""
        leaf = _parsed(entry.leaf)
        with suppress(Problem):
            read = None if evidence is None else schema.read_exchange(evidence, leaf.kind)
            for watcher in self._watchers:
                if watcher.wanted is None or str(leaf.exchange_id) in watcher.wanted:
                    self._tell(watcher, leaf, entry, read)

    def _tell(
        self, watcher: Watcher, leaf: Leaf, entry: Entry, read: schema.Exchange | schema.EarlyRefusal | None
    ) -> None:
        try:
            watcher.leaf(leaf, entry, read)
        except SourceLostError:
            raise
        except Exception:  # noqa: BLE001  what parties kept, and what a gateway sent them, is a stranger's input too
            unforeseen = Problem(Fault.UNFORESEEN, "what was kept of it could not be compared")
            self._report.problem(unforeseen, file=entry.file, index=entry.index, exchange_id=_named(leaf))

    def _acknowledged(self, judged: Acknowledged) -> None:
        for mismatch in judged.mismatches:
            self._late(Problem(mismatch.fault, mismatch.detail), mismatch.index)
        for dispute in judged.disputes:
            self._report.dispute(dispute)
        for counts, done in ((judged.done, True), (judged.due, False)):
            for party, count in counts.items():
                self._report.acknowledged(party, done=done, count=count)
        if judged.due:
            self._report.unproven.add(Unproven.ANSWERS_UNACKNOWLEDGED)

    def _problem(self, problem: Problem, bundle: Bundle, index: int) -> None:
        entry = bundle.entry(index - bundle.first)
        self._report.problem(problem, file=entry.file, index=index, exchange_id=_named(_parsed(entry.leaf)))

    def _late(self, problem: Problem, index: int) -> None:
        """Something about a leaf long past, which is read again for its name."""
        number = index // WIDTH
        width = min(WIDTH, self._size - number * WIDTH)
        leaf = unpack_entries(self._folder.read(entries_path(number, width)))[index % WIDTH]
        file = evidence_path(number, width)
        self._report.problem(problem, file=file, index=index, exchange_id=_named(_parsed(leaf)))


def _parsed(packed: bytes) -> Leaf:
    try:
        return unpack_leaf(packed)
    except FormatError as error:
        raise Problem(Fault.LEAF_MALFORMED, str(error)) from None


def _named(leaf: Leaf | None) -> str | None:
    return str(leaf.exchange_id) if leaf is not None and leaf.kind in EXCHANGES else None
