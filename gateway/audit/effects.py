"""Effects: evidence of what another system was to do stands in the log before it was asked to (DESIGN L4, P5).

What one exchange shows is checked with it; that each had its intent, and which intents have no outcome, only the whole
log can say: each leaves a row, and rows of one key meet when all are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from gateway.audit.evidence_schema import MessagePart, RestMessagePart, SoapRequestPart
from gateway.audit.spill import sorted_rows
from gateway.audit.verdict import Fault, Problem, Unsettled
from gateway.errors import Code
from gateway.signing.base import parse_base
from gateway.signing.structured import MalformedFieldError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from contracts.loader import Operation
    from gateway.audit.evidence_schema import Exchange, RequestPart
    from gateway.audit.intents import Intent, Settlement

# of the effect's key the first 16 bytes, what the row is, index, exchange id, and 16 bytes of the request's digest
_ROW = Struct(">16sBQ16s16s")
ROW_SIZE = _ROW.size
#: An intent; an exchange that was answered; a refusal that says that nothing was done; one that does not; a word of an
#: operator's.
_INTENT, _DONE, _NOT_DONE, _NOT_KNOWN, _SETTLED = range(5)
_KEY_FIELD = '"idempotency-key"'
#: Of a refusal with an effect's key that nobody was asked about: the key stood for another message.
_REFUSED_FIRST = frozenset({Code.IDEMPOTENCY_CONFLICT})


class _Row(NamedTuple):
    key: bytes
    what: int
    place: int
    exchange_id: bytes
    request: bytes


@dataclass(slots=True)
class Judged:
    """What the rows of some keys gave: leaves without their intent, or of another one, and intents without outcome."""

    problems: list[tuple[int, bytes, Problem]] = field(default_factory=list)
    unsettled: list[Unsettled] = field(default_factory=list)


def check_effect(evidence: Exchange, operation: Operation, *, outside: bool) -> None:
    """Returns if this exchange says of its effect what its contract asks for; raises Problem (effect_differs).

    ``outside``: whether another system has it.
    """
    said = evidence.effect
    released = evidence.kind == "exchange"
    if operation.idempotent and said is not None:
        raise Problem(Fault.EFFECT_DIFFERS, "an effect of an operation that has none")
    if evidence.outcome in _REFUSED_FIRST and (operation.idempotent or said is None):
        raise Problem(Fault.EFFECT_DIFFERS, "refused for its key, and has none")
    if operation.idempotent:
        return
    if said is None:
        if released or evidence.upstream:
            raise Problem(Fault.EFFECT_DIFFERS, "an operation with an effect, and no key under which it happens once")
        return
    due = released and operation.effect is not None
    if (said.before is not None, said.after is not None) != (due, due):
        raise Problem(Fault.EFFECT_DIFFERS, "the states before and after stand where the contract has them")
    if not _asked_with_key(evidence.request):
        raise Problem(Fault.EFFECT_DIFFERS, "the caller signed no idempotency key")
    if outside:
        _check_one_key(evidence)


def _asked_with_key(request: RequestPart | SoapRequestPart) -> bool:
    if isinstance(request, SoapRequestPart):
        return any(b"Idempotency-Key" in block for block in request.headers.values())
    return _KEY_FIELD in _covered(request.base)


def _covered(base: str) -> Mapping[str, str]:
    """What a signature covers, in whatever order its signer has it; raises Problem."""
    try:
        return parse_base(base.encode("ascii"))[0]
    except (MalformedFieldError, UnicodeEncodeError):
        raise Problem(Fault.EFFECT_DIFFERS, "not a signature base") from None


def _check_one_key(evidence: Exchange) -> None:
    """However often it was tried, the other system was asked under one key."""
    keys = set()
    for attempt in evidence.upstream:
        if isinstance(attempt.request, RestMessagePart):
            keys.add(_covered(attempt.request.base).get(_KEY_FIELD))
        elif isinstance(attempt.request, MessagePart):
            keys.add(None)
    if None in keys or len(keys) > 1:
        raise Problem(Fault.EFFECT_DIFFERS, "asked for without a key, or under several")


def exchange_row(index: int, evidence: Exchange, operation: Operation) -> bytes:
    """The row of an exchange whose effect another system has; nothing of one without."""
    if evidence.effect is None:
        return b""
    rule = operation.reduction
    said_no = {item.code for item in rule.refuse} if rule is not None else set()
    if evidence.kind == "exchange":
        what = _DONE
    elif evidence.upstream:
        what = _NOT_DONE if evidence.outcome in said_no else _NOT_KNOWN
    elif evidence.outcome == Code.INTERNAL:
        # a fault may have come when somebody had been asked: it settles nothing, and may have had no intent
        return b""
    else:
        # nobody was asked; whether an intent had been recorded by then is for its own row to say
        return _row(evidence.effect.key, _SETTLED, index, evidence.exchange_id, b"")
    return _row(evidence.effect.key, what, index, evidence.exchange_id, evidence.request.signature)


def intent_row(index: int, intent: Intent) -> bytes:
    """The row of an intent."""
    return _row(intent.effect.key, _INTENT, index, intent.exchange_id, intent.request.signature)


def settlement_row(index: int, said: Settlement) -> bytes:
    """The row of what an operator said of an intent."""
    return _row(said.effect.key, _SETTLED, index, said.settles, b"")


def judge_effects(parts: Iterable[bytes], excused: Collection[bytes]) -> Judged:
    """Every key of the log; ``excused`` are the ids of intents of which only the leaf is known."""
    judged = Judged()
    for part in parts:
        rows = (_Row(*_ROW.unpack(row)) for row in sorted_rows(part, ROW_SIZE))
        for _, group in groupby(rows, key=lambda row: row.key):
            _judge(list(group), excused, judged)
    return judged


def _judge(rows: list[_Row], excused: Collection[bytes], judged: Judged) -> None:
    """The rows of one key, intents first."""
    intents = {row.exchange_id: row for row in rows if row.what == _INTENT}
    for row in rows:
        if row.what in {_INTENT, _SETTLED} or row.exchange_id in excused:
            continue
        intent = intents.get(row.exchange_id)
        if intent is None or intent.request != row.request:
            text = "asked for without an intent" if intent is None else "the intent is of another request"
            judged.problems.append((row.place, row.exchange_id, Problem(Fault.INTENT_MISSING, text)))
    # an answer under a key tells of every time that it had been asked for by then; a key may come again much later
    answered = max((row.place for row in rows if row.what == _DONE), default=-1)
    known = {row.exchange_id for row in rows if row.what in {_NOT_DONE, _SETTLED}}
    judged.unsettled += [
        Unsettled(row.place, str(UUID(bytes=row.exchange_id)))
        for row in intents.values()
        if row.place > answered and row.exchange_id not in known
    ]


def _row(key: str, what: int, index: int, exchange_id: str, signature: bytes) -> bytes:
    digest = sha256(signature).digest()[:16]
    return _ROW.pack(bytes.fromhex(key)[:16], what, index, UUID(exchange_id).bytes, digest)
