"""Evidence of a delivery: each round of it, and what people decide about it (decision 0033; docs/formats.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.errors import NotRecordedError
from gateway.ledger.encoding import canonical_json, timestamp
from gateway.ledger.evidence import VERSION, Evidence, attempts_evidence

if TYPE_CHECKING:
    from gateway.change import Change
    from gateway.ledger.writer import Writer
    from gateway.notices import Round
    from gateway.ports import Clock

_STEP = timedelta(seconds=60)
_LATEST = timedelta(minutes=5)


class DeliveryLog:
    """delivery.delivering.Recorder: a leaf of its own for each round, with what it changes in the outbox."""

    def __init__(self, writer: Writer, clock: Clock, gateway: str) -> None:
        """``gateway`` is our own party's name: towards the addressee we are the caller."""
        self._writer = writer
        self._clock = clock
        self._gateway = gateway

    def record(self, done: Round, changes: tuple[Change, ...]) -> None:
        """Returns when both are on the disk; raises NotRecordedError, Refusal: then neither is."""
        evidence = delivery_evidence(done, self._gateway)
        draft = self._writer.draft("delivery", done.id, self._clock.now(), evidence.json)
        if not done.at - _STEP <= draft.time <= done.at + _LATEST:
            # no evidence of it could hold: its times are those of two clocks
            self._writer.abandon(draft)
            raise NotRecordedError("the clock was set while the delivery went on")
        self._writer.commit(draft, party=done.notice.addressee, objects=evidence.objects, changes=changes)


def delivery_evidence(done: Round, gateway: str) -> Evidence:
    """Evidence of one round; no field's value, no salt, no body."""
    notice, telling = done.notice, done.telling
    attempts, named = attempts_evidence(done.attempts, done.id)
    subject = {"ledger": notice.subject.ledger, "handle": notice.subject.handle}
    fields: dict[str, object] = {
        "v": VERSION,
        "kind": "delivery",
        "exchange_id": str(done.id),
        "delivery": str(notice.delivery),
        "notice": str(notice.exchange),
        "accepted_at": timestamp(notice.accepted),
        "expires_at": timestamp(notice.expires),
        "received_at": timestamp(done.at),
        "policy": done.policy,
        "parties": {"caller": gateway, "gateway": gateway, "upstream": notice.addressee},
        "subjects": [subject],
        "outcome": done.outcome,
        "reason": done.reason,
        "upstream": attempts,
        "operation": None,
        "contract": None,
        "agreement": None,
        "purpose": None,
        "fields": [],
    }
    objects = named | {done.policy}
    if telling is not None:
        operation = telling.message.operation
        fields |= {
            "operation": operation.name,
            "contract": {"service": operation.service, "version": operation.version, "sha256": operation.sha256},
            "agreement": telling.agreement,
            "purpose": telling.purpose,
            "fields": sorted(telling.message.fields),
        }
        objects |= {operation.sha256}
    return Evidence(canonical_json(fields), objects)
