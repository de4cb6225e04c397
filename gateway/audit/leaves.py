"""Each leaf, and the record behind it: what its kind asks for, in the order of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.audit import evidence_schema as schema
from gateway.audit.acknowledgements import Acknowledgements
from gateway.audit.certificates import Certificates
from gateway.audit.exchange_check import ExchangeCheck
from gateway.audit.opening import DataKeys
from gateway.audit.policies import Policies, under_one_of
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.audit.writers import Writers
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import unpack_leaf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from gateway.audit.objects import Objects
    from gateway.audit.opening import Opened
    from gateway.audit.report import Report
    from gateway.audit.tree import Entry
    from gateway.audit.trust import Trust
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.record import Record

_EXCHANGES = frozenset({"exchange", "refusal"})


class Watcher(Protocol):
    """Something beside the log that each exchange and refusal is held against: receipts, kept bodies."""

    def leaf(self, leaf: Leaf, entry: Entry, evidence: schema.Exchange | schema.EarlyRefusal | None) -> None:
        """One leaf of an exchange or refusal; ``evidence`` is None where it stays sealed. Raises nothing."""
        ...

    def finish(self, certificates: Certificates, policies: Policies) -> None:
        """After the last leaf."""
        ...


class Leaves:
    """Takes the entries of one log, from the first to the last."""

    def __init__(self, trust: Trust, objects: Objects, report: Report, watchers: Sequence[Watcher] = ()) -> None:
        self._report = report
        self._watchers = watchers
        self._keys = DataKeys(trust.periods)
        self._writers = Writers()
        self._policies = Policies(objects, trust, report)
        self._certificates = Certificates(objects, trust.roots)
        self._exchanges = ExchangeCheck(objects, self._certificates, self._policies)
        self._acknowledgements = Acknowledgements(report, objects)
        self._ids: set[tuple[bool, UUID]] = set()

    def take(self, entry: Entry) -> None:
        """Checks one entry; the first thing that is wrong with it goes to the report."""
        exchange_id = None
        try:
            leaf = _parsed(entry.leaf)
            exchange_id = str(leaf.exchange_id) if leaf.kind in _EXCHANGES else None
            self._check(entry, leaf)
        except Problem as problem:
            self._report.problem(problem, file=entry.file, index=entry.index, exchange_id=exchange_id)
        except Exception:  # noqa: BLE001  a log is a stranger's input: what no check foresaw is a finding, not a crash
            unforeseen = Problem(Fault.UNFORESEEN, "a check could not be carried out")
            self._report.problem(unforeseen, file=entry.file, index=entry.index, exchange_id=exchange_id)

    def finish(self) -> None:
        """Judges what only the whole log shows."""
        self._writers.finish(self._report)
        self._acknowledgements.finish()
        for watcher in self._watchers:
            watcher.finish(self._certificates, self._policies)

    def _check(self, entry: Entry, leaf: Leaf) -> None:
        self._report.time(leaf.time)
        # 1  this leaf stands here once, in its writer's order
        if (leaf.kind == "genesis") != (entry.index == 0):
            raise Problem(Fault.GENESIS_DIFFERS, "the genesis is the first leaf and no other")
        self._writers.leaf(leaf, entry.file)
        self._once(leaf)
        self._acknowledgements.leaf(leaf, entry.leaf)
        # 2  its record is the one that it binds
        if entry.record is None:
            raise Problem(Fault.RECORD_MISSING, "its bundle cannot be read")
        opened = self._keys.record(leaf, entry.leaf, entry.record)
        if opened is None:
            self._report.unopened(leaf.kind)
            self._watch(entry, leaf, None)
            return
        # 3  and says what is true
        if leaf.kind in _EXCHANGES:
            self._exchange(entry, opened)
        else:
            self._plain(leaf, opened.record)

    def _once(self, leaf: Leaf) -> None:
        # an exchange is answered or refused, never both; other kinds have ids of their own
        key = (leaf.kind in _EXCHANGES, leaf.exchange_id)
        if key in self._ids:
            raise Problem(Fault.LEAF_REPEATED, "the exchange id stands twice")
        self._ids.add(key)

    def _watch(self, entry: Entry, leaf: Leaf, evidence: schema.Exchange | schema.EarlyRefusal | None) -> None:
        for watcher in self._watchers if leaf.kind in _EXCHANGES else ():
            watcher.leaf(leaf, entry, evidence)

    def _exchange(self, entry: Entry, opened: Opened) -> None:
        evidence = schema.read_exchange(opened.record.evidence, opened.leaf.kind)
        self._watch(entry, opened.leaf, evidence)
        if isinstance(evidence, schema.Exchange):
            self._acknowledgements.take(evidence, opened, entry.file, entry.index)
        if isinstance(evidence, schema.EarlyRefusal):
            self._report.refusal(evidence.party, evidence.reason.value)
        elif evidence.kind == "refusal":
            self._report.refusal(evidence.parties.caller, evidence.outcome)
        else:
            self._report.exchange(evidence.parties.caller)
            self._report.unproven.add(Unproven.ORIGIN_ASSERTED)
            if evidence.subjects:
                self._report.unproven.add(Unproven.HANDLES_ASSERTED)
        self._exchanges.check(evidence, opened)

    def _plain(self, leaf: Leaf, record: Record) -> None:
        match leaf.kind:
            case "genesis":
                self._policies.begin(schema.read_evidence(record.evidence, schema.Genesis), leaf.time)
            case "policy":
                self._policies.act(schema.read_evidence(record.evidence, schema.PolicyAct), leaf.time)
            case "opening":
                opening = schema.read_evidence(record.evidence, schema.Opening)
                under_one_of(self._policies.possible(leaf.time), lambda policy: self._keys.open(leaf, opening, policy))
            case "void":
                self._writers.void(leaf, schema.read_evidence(record.evidence, schema.Void))
            case "closing":
                self._writers.close(leaf, schema.read_evidence(record.evidence, schema.Closing))
            case _:
                raise Problem(Fault.KIND_UNSUPPORTED, "a kind of leaf that this audit cannot judge")


def _parsed(packed: bytes) -> Leaf:
    try:
        return unpack_leaf(packed)
    except FormatError as error:
        raise Problem(Fault.LEAF_MALFORMED, str(error)) from None
