"""Judges an export years later, from the file and the anchors alone, by the audit's own checks of an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.audit.certificates import Certificates
from gateway.audit.evidence_schema import Exchange, Genesis, Opening, PolicyAct, read_evidence, read_exchange
from gateway.audit.exchange_check import ExchangeCheck
from gateway.audit.objects import Objects
from gateway.audit.opening import DataKeys, Opened
from gateway.audit.policies import Policies, under_one_of
from gateway.audit.questions.export import named_by
from gateway.audit.questions.export_form import read_export
from gateway.audit.report import Report
from gateway.audit.verdict import Fault, Problem
from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError, timestamp
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from gateway.ledger.note import parse_note
from gateway.ledger.record import unpack_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.evidence_schema import EarlyRefusal
    from gateway.audit.questions.export_form import Export, ProvenEntry
    from gateway.audit.trust import Trust
    from gateway.ledger.note import Checkpoint

_EXCHANGES = frozenset({"exchange", "refusal"})


class Limit(StrEnum):
    """What one exchange alone cannot prove, whatever the file holds: the log would."""

    POLICIES_BETWEEN = "policies_between"
    ONCE = "once"
    LOG_NOT_COMPARED = "log_not_compared"
    ACKNOWLEDGEMENT = "acknowledgement"
    HANDLES_ASSERTED = "handles_asserted"
    ORIGIN_ASSERTED = "origin_asserted"
    CONTRACTS_ASSERTED = "contracts_asserted"
    UPSTREAM_SEALED_APART = "upstream_sealed_apart"
    NO_TIMESTAMPS = "no_timestamps"


@dataclass(frozen=True, slots=True)
class Proven:
    """What an export that holds has proved; times are RFC 3339, hashes hex."""

    origin: str
    size: int
    root: str
    index: int
    exchange_id: str
    kind: str
    at: str
    party: str
    operation: str
    agreement: str
    purpose: str
    outcome: str
    fields: tuple[str, ...]
    subjects: tuple[str, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class ExportVerdict:
    """The verdict: what was proved, or the first thing that is wrong."""

    problem: Problem | None
    proven: Proven | None
    unproven: tuple[Limit, ...]

    @property
    def holds(self) -> bool:
        """Whether the exchange is proved."""
        return self.problem is None


def verify_export(data: bytes, trust: Trust) -> ExportVerdict:
    """The verdict on an export's bytes; whatever is wrong with them is its problem, never an exception."""
    try:
        proven, unproven = _verified(read_export(data), trust)
    except Problem as problem:
        return ExportVerdict(problem, None, ())
    except Exception:  # noqa: BLE001  a file is a stranger's input: what no check foresaw is a finding, not a crash
        return ExportVerdict(Problem(Fault.UNFORESEEN, "a check could not be carried out"), None, ())
    return ExportVerdict(None, proven, unproven)


class _Carried:
    """``objects/`` as the export carries it."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def read(self, path: str) -> bytes:
        """As a log's folder reads them; raises Problem (file_missing)."""
        content = self._objects.get(path.rpartition("/")[2])
        if content is None:
            raise Problem(Fault.FILE_MISSING, "the export does not carry it", file=path)
        return content


def _verified(export: Export, trust: Trust) -> tuple[Proven, tuple[Limit, ...]]:
    # 1  the log's key signed a root, and the leaves stand under it, in this order
    checkpoint = _checkpoint(export, trust)
    opened = [_opened(entry, checkpoint) for entry in export.entries]
    indices = [entry.index for entry in export.entries]
    if indices != sorted(set(indices)):
        raise Problem(Fault.BUNDLE_MALFORMED, "the entries are not in the order of the log")
    # 2  the objects are those that the evidence names, all of them and no others
    _check_objects(export, opened)
    objects = Objects(_Carried(export.objects))  # type: ignore[arg-type]  # of a folder it asks for ``read`` alone
    # 3  the policy of that time, from the genesis that the auditor brought
    policies = Policies(objects, trust, Report())
    *before, last = opened
    for at, one in zip(indices, before, strict=False):
        _before(one, at, policies, last)
    if not any(one.leaf.kind == "opening" for one in before):
        raise Problem(Fault.WRITER_INVALID, "sealed evidence of a writer without an opening before it")
    # 4  the exchange itself, as an audit judges it
    if last.leaf.kind not in _EXCHANGES:
        raise Problem(Fault.KIND_UNSUPPORTED, "the last entry is no exchange and no refusal")
    evidence = read_exchange(last.record.evidence, last.leaf.kind)
    certificates = Certificates(objects, trust.roots)
    exchange = ExchangeCheck(objects, certificates, policies, contracts=trust.contracts, apart=trust.apart)
    exchange.check(evidence, last)
    limits = _unproven(evidence, checkpoint, trust, sealed_apart=bool(exchange.unopened))
    return _proven(checkpoint, indices[-1], last, evidence, policies), limits


def _checkpoint(export: Export, trust: Trust) -> Checkpoint:
    try:
        signed = parse_note(export.note)
        checkpoint = signed.verify(trust.log_key)
    except FormatError as error:
        raise Problem(Fault.CHECKPOINT_INVALID, str(error)) from None
    if len(signed.signatures) != 1:
        raise Problem(Fault.CHECKPOINT_INVALID, "signed by others than the log")
    remembered = trust.remembered
    if remembered is not None and remembered.size == checkpoint.size and remembered.root != checkpoint.root:
        raise Problem(Fault.LOG_FORKED, f"not the log that was remembered at size {remembered.size}")
    return checkpoint


def _opened(entry: ProvenEntry, checkpoint: Checkpoint) -> Opened:
    try:
        verify_inclusion(leaf_hash(entry.leaf), entry.index, checkpoint.size, entry.proof, checkpoint.root)
    except LedgerError:
        raise Problem(Fault.ROOT_DIFFERS, "a leaf is not proved to stand under the checkpoint") from None
    try:
        leaf = unpack_leaf(entry.leaf)
    except FormatError as error:
        raise Problem(Fault.LEAF_MALFORMED, str(error)) from None
    try:
        record = unpack_record(entry.record)
        record.check_binding(leaf.binding)
    except FormatError as error:
        raise Problem(Fault.RECORD_UNREADABLE, str(error)) from None
    if leaf.kind not in _EXCHANGES and (record.answer_base or record.answer_signature):
        raise Problem(Fault.RECORD_UNREADABLE, "an answer in a kind that answers nobody")
    return Opened(leaf, entry.leaf, record)


def _check_objects(export: Export, opened: list[Opened]) -> None:
    named = {digest for one in opened for digest in named_by(one.leaf.kind, one.record.evidence)}
    for digest, content in export.objects.items():
        if sha256(content).hexdigest() != digest:
            raise Problem(Fault.OBJECT_INVALID, "the content is not what the name says", file=digest)
    if foreign := export.objects.keys() - named:
        raise Problem(Fault.FILE_UNKNOWN, "an object that no evidence here names", file=min(foreign))
    if missing := named - export.objects.keys():
        raise Problem(Fault.OBJECT_MISSING, "evidence names an object that is not here", file=min(missing))


def _before(one: Opened, index: int, policies: Policies, last: Opened) -> None:
    leaf, evidence = one.leaf, one.record.evidence
    if (leaf.kind == "genesis") != (index == 0):
        raise Problem(Fault.GENESIS_DIFFERS, "the genesis is the first leaf and no other")
    if leaf.kind == "genesis":
        policies.begin(read_evidence(evidence, Genesis), leaf.time)
    elif leaf.kind == "policy":
        policies.act(read_evidence(evidence, PolicyAct), leaf.time)
    elif leaf.kind == "opening" and leaf.writer == last.leaf.writer:
        opening, keys = read_evidence(evidence, Opening), DataKeys({})
        if (leaf.counter, leaf.period) != (0, last.leaf.period):
            raise Problem(Fault.WRITER_INVALID, "an opening that is not its writer's counter 0, or of another period")
        under_one_of(policies.possible(leaf.time), lambda policy: keys.open(leaf, opening, policy))
    else:
        raise Problem(Fault.KIND_UNSUPPORTED, "an entry that proves nothing of this exchange")


def _proven(
    checkpoint: Checkpoint, index: int, last: Opened, evidence: Exchange | EarlyRefusal, policies: Policies
) -> Proven:
    whole = evidence if isinstance(evidence, Exchange) else None
    party = evidence.parties.caller if isinstance(evidence, Exchange) else evidence.party or ""
    return Proven(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        index=index,
        exchange_id=evidence.exchange_id,
        kind=evidence.kind,
        at=timestamp(last.leaf.time),
        party=party,
        operation=whole.operation if whole else "",
        agreement=whole.agreement if whole else "",
        purpose=whole.purpose if whole else "",
        outcome=evidence.outcome if isinstance(evidence, Exchange) else evidence.reason.value,
        fields=whole.fields if whole else (),
        subjects=tuple(subject.handle for subject in whole.subjects) if whole else (),
        policy=whole.policy if whole else policies.newest().sha256,
    )


def _unproven(
    evidence: Exchange | EarlyRefusal, checkpoint: Checkpoint, trust: Trust, *, sealed_apart: bool
) -> tuple[Limit, ...]:
    limits = set(Limit)
    if not sealed_apart:
        limits.discard(Limit.UPSTREAM_SEALED_APART)
    if trust.remembered is not None and trust.remembered.size == checkpoint.size:
        limits.discard(Limit.LOG_NOT_COMPARED)
    if trust.contracts is not None or not isinstance(evidence, Exchange):
        limits.discard(Limit.CONTRACTS_ASSERTED)
    if evidence.kind != "exchange":
        limits -= {Limit.ACKNOWLEDGEMENT, Limit.ORIGIN_ASSERTED}
    if not isinstance(evidence, Exchange) or not evidence.subjects:
        limits.discard(Limit.HANDLES_ASSERTED)
    return tuple(limit for limit in Limit if limit in limits)
