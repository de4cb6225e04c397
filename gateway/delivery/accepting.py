"""Step 6 of placement.notify: nobody is asked; the notice goes into the outbox with the exchange's record."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from gateway.change import Change
from gateway.errors import Code, Refusal
from gateway.model import Reply
from gateway.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from gateway.change import Statement
    from gateway.delivery.sealing import Sealing
    from gateway.model import Grant
    from gateway.ports import Randomness
    from gateway.subject import Disclosure

#: What of the request is not for the addressee to be told: whom we are to tell, and the caller's own handle.
_OURS = frozenset({"addressee", "handle"})
_UUID_BYTES = 16


class Introduce(Protocol):
    """ports.Subjects: names a child for another party, and gives it that handle with the record."""

    def __call__(self, handle: str, party: str, other: str) -> Disclosure:
        """The subject that ``party`` names so, under the handle of ``other``; raises Refusal."""
        ...


class Deliverable(Protocol):
    """Whom we can tell."""

    def __call__(self, addressee: str, at: datetime) -> bool:
        """Whether it takes notices, and an agreement in force lets it have them."""
        ...


class Queue(Protocol):
    """The outbox, as far as it is filled."""

    def added(self, notice: Notice, line: bytes, content: bytes) -> Statement:
        """A notice that waits, to be written."""
        ...


class Accepting:
    """ports.Upstream of notices: what it answers is true once the exchange is recorded, and not before."""

    def __init__(
        self,
        queue: Queue,
        sealing: Sealing,
        introduce: Introduce,
        deliverable: Deliverable,
        randomness: Randomness,
        expiry: timedelta,
    ) -> None:
        """``expiry``: how long after its acceptance a notice may be delivered."""
        self._queue = queue
        self._sealing = sealing
        self._introduce = introduce
        self._deliverable = deliverable
        self._randomness = randomness
        self._expiry = expiry

    def call(self, grant: Grant) -> Reply:
        """Accepted, with its delivery's id; raises Refusal (not_deliverable, handle_unknown)."""
        message = grant.message
        received, asked = message.request.received, message.fields
        addressee = str(asked["addressee"])
        if not self._deliverable(addressee, received.at):
            raise Refusal(Code.NOT_DELIVERABLE, component="addressee")
        told = self._introduce(str(asked["handle"]), message.request.party.name, addressee)
        notice = Notice(
            delivery=self._randomness.uuid() if grant.effect is None else _delivery(grant.effect.seed, asked),
            exchange=received.exchange_id,
            addressee=addressee,
            subject=told.subjects[0],
            fields={name: value for name, value in asked.items() if name not in _OURS},
            accepted=received.at,
            expires=received.at + self._expiry,
            secrets=told.secrets,
        )
        change = self._waiting(notice)
        return Reply(None, {"outcome": "accepted", "delivery": str(notice.delivery)}, (), (change, *told.changes))

    def _waiting(self, notice: Notice) -> Change:
        line = self._sealing.line(notice.addressee, notice.subject.ledger)
        added = self._queue.added(notice, line, self._sealing.seal(notice))
        return Change((added,), Code.SUBJECTS_CHANGED, alone=False)


def _delivery(seed: bytes, asked: Mapping[str, object]) -> UUID:
    """One for each key and message, however often it is asked for.

    Of the message too: a key that is forgotten may stand for another one later, and the addressee would take a new
    notice under a known id for the old one.
    """
    said = json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()
    return UUID(bytes=hmac.digest(seed, said, "sha256")[:_UUID_BYTES], version=4)
