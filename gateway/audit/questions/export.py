"""Makes an export: the exchange, what was in force when it happened, and the objects that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.evidence_schema import (
    Exchange,
    Genesis,
    PolicyAct,
    TlsMessagePart,
    read_evidence,
    read_exchange,
)
from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.questions.export_form import Export, ProvenEntry
from gateway.audit.questions.standing import NoAnswerError
from gateway.audit.questions.walk import Walk
from gateway.audit.verdict import Problem
from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import parse_note
from gateway.ledger.reader import LogReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from gateway.audit.evidence_schema import AnswerPart, EarlyRefusal, Proof
    from gateway.audit.questions.walk import Seen
    from gateway.audit.trust import Trust
    from gateway.ledger.note import LogKey
    from gateway.ledger.record import Record

_EXCHANGES = frozenset({"exchange", "refusal"})
#: Where a leaf has its kind and its exchange id (docs/formats.md).
_KIND, _ID = 1, slice(6, 22)
_PLAIN = frozenset({KINDS["genesis"], KINDS["policy"]})
#: Without its refusals: they change nothing of what was in force.
_IN_FORCE = frozenset({"proposed", "approved", "activated"})


def make_export(
    log: Path, note: bytes, trust: Trust, exchange_id: UUID, tell: Callable[[int], None] = lambda _: None
) -> bytes:
    """The file that proves this exchange, or refusal, under a checkpoint that was audited.

    Raises NoAnswerError: exchange_not_in_log, exchange_sealed, exchange_destroyed, copy_changed.
    """
    checkpoint = parse_note(note).verify(trust.log_key)
    walk = Walk(LogFolder(log), checkpoint, trust.periods)
    chosen: list[tuple[Seen, Record]] = []
    openings: dict[UUID, tuple[Seen, Record]] = {}
    target: tuple[Seen, Record] | None = None
    try:
        for seen in walk.leaves(tell=tell, wants=lambda leaf: leaf[_KIND] in _PLAIN or leaf[_ID] == exchange_id.bytes):
            if seen.leaf.kind in _EXCHANGES and seen.leaf.exchange_id == exchange_id:
                target = (seen, _opened(walk, seen))
            elif seen.leaf.kind == "opening" and target is None:
                openings[seen.leaf.writer] = (seen, _opened(walk, seen))
            elif seen.leaf.kind in {"genesis", "policy"} and target is None:
                pair = (seen, _opened(walk, seen))
                chosen += [pair] if _counts(*pair) else []
        if target is None:
            raise NoAnswerError("exchange_not_in_log", exchange_id=exchange_id)
        before = sorted([*chosen, openings[target[0].leaf.writer]], key=lambda pair: pair[0].index)
        reader, signed = LogReader(log, trust.log_key), _own(note, trust.log_key)
        whole = [*before, target]
        entries = tuple(_proven(reader, checkpoint.size, seen, record) for seen, record in whole)
        named = sorted({digest for seen, record in whole for digest in named_by(seen.leaf.kind, record.evidence)})
        objects = Objects(LogFolder(log))
        return Export(signed, entries, {digest: objects.bytes(digest) for digest in named}).pack()
    except (Problem, FormatError, LedgerError, KeyError) as error:
        raise NoAnswerError("copy_changed", detail=error) from error


def named_by(kind: str, evidence: bytes) -> Iterator[str]:
    """The objects that evidence of this kind names and a reader needs, by hex SHA-256; raises Problem."""
    if kind == "genesis":
        yield read_evidence(evidence, Genesis).policy
    elif kind == "policy":
        act = read_evidence(evidence, PolicyAct)
        if act.policy is not None and act.act in _IN_FORCE:
            yield act.policy
    elif kind in _EXCHANGES:
        yield from _named_by_exchange(read_exchange(evidence, kind))


def _named_by_exchange(evidence: Exchange | EarlyRefusal) -> Iterator[str]:
    if not isinstance(evidence, Exchange):
        yield from _hashes(evidence.answer.signing)
        return
    yield evidence.policy
    yield evidence.contract.sha256
    answer: AnswerPart = evidence.answer
    for proof in (answer.signing, evidence.request.signing, evidence.request.tls):
        yield from _hashes(proof)
    for attempt in evidence.upstream:
        yield from _hashes(attempt.request.signing)
        if isinstance(attempt.answer, TlsMessagePart):
            yield from _hashes(attempt.answer.tls)
        elif attempt.answer is not None:
            yield from _hashes(attempt.answer.signing)


def _hashes(proof: Proof) -> Iterator[str]:
    yield proof.sha256
    yield from proof.chain
    yield from proof.revocation


def _counts(seen: Seen, record: Record) -> bool:
    return seen.leaf.kind == "genesis" or read_evidence(record.evidence, PolicyAct).act in _IN_FORCE


def _opened(walk: Walk, seen: Seen) -> Record:
    record = walk.opened(seen)
    if record is None:
        key = "exchange_sealed" if seen.stored else "exchange_destroyed"
        raise NoAnswerError(key, exchange_id=seen.leaf.exchange_id, period=seen.leaf.period)
    return record


def _proven(reader: LogReader, size: int, seen: Seen, record: Record) -> ProvenEntry:
    inclusion = reader.inclusion(seen.index, leaf_hash(seen.packed))
    if inclusion is None or parse_note(inclusion.note).checkpoint.size != size:
        raise FormatError("the log grew meanwhile")
    return ProvenEntry(seen.index, seen.packed, record.pack(), inclusion.proof)


def _own(note: bytes, key: LogKey) -> bytes:
    """The checkpoint with the log's signature alone: whose the others are, an anchor of another day may not say."""
    text, _, lines = note.partition(b"\n\n")
    alone = [text + b"\n\n" + line for line in lines.splitlines(keepends=True)]
    signed = ((one, parse_note(one).signatures[0]) for one in alone)
    return next(one for one, line in signed if (line.name, line.key_id) == (key.name, key.key_id))
