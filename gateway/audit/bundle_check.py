"""The sealed records of one bundle, checked apart from all others: work for a process of its own (DESIGN L11).

What only the whole log can say comes back as rows and short lists (traces.py, acknowledgements.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit import evidence_schema as schema
from gateway.audit.acknowledgements import answer_rows, judge_acknowledgements, leaf_row
from gateway.audit.budgets import BudgetRows, Spans
from gateway.audit.certificates import Certificates
from gateway.audit.delivery_schema import Delivery
from gateway.audit.exchange_check import ExchangeCheck
from gateway.audit.intents import IntentCheck
from gateway.audit.objects import Objects
from gateway.audit.opening import DataKeys
from gateway.audit.policies import Policy, Timeline
from gateway.audit.remote import SourceLostError
from gateway.audit.repeats import find_repeated
from gateway.audit.tally import Tally
from gateway.audit.traces import Traces
from gateway.audit.tree import read_bundle
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.ledger.leaf import unpack_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from gateway.audit.acknowledgements import Acknowledged
    from gateway.audit.files import Source
    from gateway.audit.opening import Opened
    from gateway.audit.repeats import Repeated
    from gateway.ledger.leaf import Leaf

EXCHANGES = frozenset({"exchange", "refusal"})


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a process must have to check bundles of one log.

    Attributes:
        audit: tells one audit from another.
        folder: where the log is.
        roots: each party's root certificates, DER.
        periods: raw private period keys by YYYYMM.
        wanted: the exchange ids of which evidence is given back; None for every one.
        contracts: hex SHA-256 of those that exchanges may name; None where the auditor brought none.
        apart: officers' raw private keys by the hex SHA-256 of their public side (C5).
    """

    audit: str
    folder: Source = field(compare=False)
    roots: Mapping[str, tuple[bytes, ...]] = field(compare=False, repr=False)
    periods: Mapping[int, bytes] = field(compare=False, repr=False)
    wanted: frozenset[str] | None = field(compare=False, repr=False)
    contracts: frozenset[str] | None = field(default=None, compare=False, repr=False)
    apart: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Work:
    """One bundle to check.

    Attributes:
        first: index of its first leaf.
        file: where its records are.
        leaves: in the order of the bundle; None for one that is not to be looked at here.
        policies: each that came into force so far: index of its leaf, since when, its hash.
        keys: the data keys of the writers in this bundle.
    """

    first: int
    file: str
    leaves: tuple[bytes | None, ...] = field(repr=False)
    policies: tuple[tuple[int, datetime, str], ...]
    keys: Mapping[UUID, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OnceRows:
    """Rows of repeats.py to judge; ``merged``: those who are one child by now, as these rows name them."""

    rows: bytes = field(repr=False)
    merged: Mapping[int, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """Rows of acknowledgements.py to judge."""

    rows: bytes = field(repr=False)


@dataclass(slots=True)
class Part:
    """What came of one bundle.

    Attributes:
        tally: findings and counts.
        once, answers, budgets: rows to be sorted.
        merges: subjects that became one, each with the index of its leaf.
        missing: indices of leaves whose record is not there, length 0.
        shown: of the wanted exchanges, index and evidence, which is None where it stays sealed.
        signers: what the gateway's certificates were checked with.
        others: index and evidence of what is sealed and neither exchange nor intent.
        effects: rows to be sorted.
        intents: ids of the intents whose evidence stays sealed.
    """

    tally: Tally = field(default_factory=Tally)
    once: bytes = b""
    budgets: bytes = b""
    answers: bytearray = field(default_factory=bytearray)
    merges: tuple[tuple[int, tuple[str, ...]], ...] = ()
    missing: list[int] = field(default_factory=list)
    shown: list[tuple[int, bytes | None]] = field(default_factory=list)
    signers: dict[schema.Proof, None] = field(default_factory=dict)
    others: list[tuple[int, bytes]] = field(default_factory=list)
    effects: bytes = b""
    intents: list[bytes] = field(default_factory=list)


class BundleCheck:
    """Checks bundles of one log, in any order; verdicts on certificates are kept from one to the next."""

    def __init__(self, anchors: Anchors) -> None:
        self._folder = anchors.folder
        self._wanted = anchors.wanted
        self._contracts = anchors.contracts
        self._apart = anchors.apart
        self._objects = Objects(anchors.folder)
        self._keys = DataKeys(anchors.periods)
        self._certificates = Certificates(self._objects, anchors.roots)

    def check(self, work: Work | OnceRows | AnswerRows | BudgetRows) -> Part | list[Repeated] | Acknowledged | Spans:
        """What came of a piece of work."""
        match work:
            case Work():
                return self._bundle(work)
            case OnceRows():
                return find_repeated(work.rows, work.merged)
            case AnswerRows():
                return judge_acknowledgements(work.rows)
            case BudgetRows():
                return Spans().count(work)

    def _bundle(self, work: Work) -> Part:
        self._keys.know(work.keys)
        traces, timeline = Traces(), Timeline()
        exchanges = ExchangeCheck(
            self._objects, self._certificates, timeline, traces, contracts=self._contracts, apart=self._apart
        )
        intents = IntentCheck(self._objects, self._certificates, timeline)
        entries = _Entries(self._keys, self._objects, exchanges, intents, traces, self._wanted)
        records = read_bundle(self._folder, work.file, len(work.leaves), entries.part.tally)
        policies = list(reversed(work.policies))
        for at, packed in enumerate(work.leaves):
            index = work.first + at
            while policies and policies[-1][0] < index:
                _, since, sha256 = policies.pop()
                timeline.add(since, Policy(sha256, self._objects.bundle(sha256)))
            if packed is not None:
                traces.stand_at(index)
                entries.take(index, packed, None if records is None else records[at], work.file)
        part = entries.part
        part.once, part.budgets, part.merges = bytes(traces.once), bytes(traces.budgets), tuple(traces.merges)
        part.effects = bytes(traces.effects)
        return part


class _Entries:
    """The entries of one bundle, one after the other."""

    def __init__(
        self,
        keys: DataKeys,
        objects: Objects,
        exchanges: ExchangeCheck,
        intents: IntentCheck,
        traces: Traces,
        wanted: frozenset[str] | None,
    ) -> None:
        self.part = Part()
        self._traces = traces
        self._keys = keys
        self._objects = objects
        self._exchanges = exchanges
        self._intents = intents
        self._traces = traces
        self._wanted = wanted

    def take(self, index: int, packed: bytes, record: bytes | None, file: str) -> None:
        """Checks one entry; the first thing that is wrong with it goes to the tally."""
        leaf, rows = unpack_leaf(packed), len(self.part.answers)
        try:
            self._check(index, leaf, packed, record)
        except Problem as problem:
            self._problem(problem, index, leaf, file)
        except SourceLostError:
            raise
        except Exception:  # noqa: BLE001  a log is a stranger's input: what no check foresaw is a finding, not a crash
            self._problem(Problem(Fault.UNFORESEEN, "a check could not be carried out"), index, leaf, file)
        if leaf.kind == "exchange" and len(self.part.answers) == rows:
            self.part.answers += leaf_row(index, leaf.exchange_id, packed)

    def _problem(self, problem: Problem, index: int, leaf: Leaf, file: str) -> None:
        exchange_id = str(leaf.exchange_id) if leaf.kind in EXCHANGES else None
        self.part.tally.problem(problem, file=file, index=index, exchange_id=exchange_id)

    def _check(self, index: int, leaf: Leaf, packed: bytes, record: bytes | None) -> None:
        if record is None:
            raise Problem(Fault.RECORD_MISSING, "its bundle cannot be read")
        wanted = leaf.kind in EXCHANGES and (self._wanted is None or str(leaf.exchange_id) in self._wanted)
        opened = self._keys.record(leaf, packed, record) if record else None
        if opened is None:
            self._unopened(index, leaf, missing=not record)
        if wanted:
            self.part.shown.append((index, None if opened is None else opened.record.evidence))
        if opened is not None and leaf.kind in EXCHANGES:
            self._exchange(index, opened)
        elif opened is not None and leaf.kind == "intent":
            self._traces.effects += self._intents.check(index, leaf, opened.record.evidence)
        elif opened is not None and leaf.kind == "delivery":
            self._delivery(opened)
        elif opened is not None:
            self.part.others.append((index, opened.record.evidence))

    def _unopened(self, index: int, leaf: Leaf, *, missing: bool) -> None:
        """What cannot be read may be what others rest on."""
        if leaf.kind == "intent":
            self.part.intents.append(leaf.exchange_id.bytes)
        if leaf.kind == "exchange":
            self._traces.notice(leaf.exchange_id, None)
        if missing:
            self.part.missing.append(index)
        else:
            self.part.tally.unopened(leaf.kind)

    def _delivery(self, opened: Opened) -> None:
        evidence = schema.read_evidence(opened.record.evidence, Delivery)
        self.part.tally.unproven |= {Unproven.HANDLES_ASSERTED, *self._exchanges.unproven}
        self._exchanges.deliveries.check(evidence, opened)
        self.part.tally.unproven |= self._exchanges.unopened

    def _exchange(self, index: int, opened: Opened) -> None:
        part = self.part
        evidence = schema.read_exchange(opened.record.evidence, opened.leaf.kind)
        part.signers[evidence.answer.signing] = None
        if isinstance(evidence, schema.EarlyRefusal):
            part.tally.refusal(evidence.party, evidence.reason.value)
        elif evidence.kind == "refusal":
            part.tally.refusal(evidence.parties.caller, evidence.outcome)
        else:
            part.tally.exchange(evidence.parties.caller)
            part.answers += answer_rows(index, evidence, opened.packed, self._objects)
            part.tally.unproven |= {Unproven.ORIGIN_ASSERTED, *self._exchanges.unproven}
            if evidence.subjects:
                part.tally.unproven.add(Unproven.HANDLES_ASSERTED)
        self._exchanges.check(evidence, opened)
        part.tally.unproven |= self._exchanges.unopened
