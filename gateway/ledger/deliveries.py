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
    from gateway.notices import Notice, Round, Unread
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
        self._write(done, delivery_evidence(done, self._gateway), done.notice.addressee, changes)

    def give_up(self, letter: Unread, changes: tuple[Change, ...]) -> None:
        """The same of a notice that nobody can open any more."""
        self._write(letter, unread_evidence(letter, self._gateway), letter.addressee, changes)

    def _write(self, done: Round | Unread, evidence: Evidence, addressee: str, changes: tuple[Change, ...]) -> None:
        draft = self._writer.draft("delivery", done.id, self._clock.now(), evidence.json)
        if not done.at - _STEP <= draft.time <= done.at + _LATEST:
            # no evidence of it could hold: its times are those of two clocks
            self._writer.abandon(draft)
            raise NotRecordedError("the clock was set while the delivery went on")
        self._writer.commit(draft, party=addressee, objects=evidence.objects, changes=changes)


def delivery_evidence(done: Round, gateway: str) -> Evidence:
    """Evidence of one round; no field's value, no salt, no body."""
    notice, telling = done.notice, done.telling
    attempts, named = attempts_evidence(done.attempts, done.id)
    subject = {"ledger": notice.subject.ledger, "handle": notice.subject.handle}
    fields = _untold(notice, done, gateway) | {
        "notice": str(notice.exchange),
        "subjects": [subject],
        "outcome": done.outcome,
        "upstream": attempts,
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


def unread_evidence(letter: Unread, gateway: str) -> Evidence:
    """Evidence that a notice was given up which nobody could open: by which exchange, and of whom, is not known."""
    return Evidence(canonical_json(_untold(letter, letter, gateway)), frozenset({letter.policy}))


def _untold(notice: Notice | Unread, done: Round | Unread, gateway: str) -> dict[str, object]:
    """What every delivery says, as of one of which nothing else is known and nothing was sent."""
    return {
        "v": VERSION,
        "kind": "delivery",
        "exchange_id": str(done.id),
        "delivery": str(notice.delivery),
        "notice": None,
        "accepted_at": timestamp(notice.accepted),
        "expires_at": timestamp(notice.expires),
        "received_at": timestamp(done.at),
        "policy": done.policy,
        "parties": {"caller": gateway, "gateway": gateway, "upstream": notice.addressee},
        "subjects": [],
        "outcome": "dropped",
        "reason": done.reason,
        "upstream": [],
        "operation": None,
        "contract": None,
        "agreement": None,
        "purpose": None,
        "fields": [],
    }
