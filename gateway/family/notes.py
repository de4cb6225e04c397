"""A note of each disclosure, written with its record or not at all (step 7)."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Protocol

from gateway.change import Change
from gateway.errors import Code
from gateway.family.note import NONCE_BYTES, Note, SealedNote, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from gateway.change import Addition
    from gateway.model import Disclosure, Grant
    from gateway.notices import Round
    from gateway.ports import Randomness


class NoteStore(Protocol):
    """The notes at rest."""

    def added(self, note: SealedNote, period: int) -> Addition:
        """A note of that month (YYYYMM), to be written."""
        ...

    def of(self, lookups: Sequence[bytes]) -> list[SealedNote]:
        """All that lie under one of these, in no order."""
        ...


class FamilyNotes:
    """ports.FamilyNotes."""

    def __init__(self, store: NoteStore, randomness: Randomness) -> None:
        self._store = store
        self._randomness = randomness

    def noted(self, grant: Grant, told: Disclosure, fields: Iterable[str]) -> tuple[Change, ...]:
        """What is to be written so that each of these children's families can be told of this exchange."""
        request = grant.message.request
        at = request.received.at.astimezone(UTC)
        note = Note(
            at=instant(at),
            exchange_id=str(request.received.exchange_id),
            party=request.party.name,
            # by its contract a request with such data has a salt (C4)
            sent_to="" if grant.message.salt is None else grant.message.upstream,
            operation=grant.message.operation.name,
            purpose=grant.purpose,
            agreement=grant.agreement,
            policy=grant.policy_sha256,
            fields=tuple(sorted(fields)),
        )
        return self._added(note, told.secrets, at)

    def delivered(self, done: Round) -> tuple[Change, ...]:
        """The same of a notice that its addressee has now, out of the outbox: it was told, and had not asked."""
        told, at = done.telling, done.at.astimezone(UTC)
        if told is None:
            return ()
        note = Note(
            at=instant(at),
            exchange_id=str(done.id),
            party=done.notice.addressee,
            sent_to="",
            operation=told.message.operation.name,
            purpose=told.purpose,
            agreement=told.agreement,
            policy=told.policy_sha256,
            fields=tuple(sorted(told.message.fields)),
        )
        return self._added(note, done.notice.secrets, at)

    def _added(self, note: Note, secrets: Iterable[bytes], at: datetime) -> tuple[Change, ...]:
        added = tuple(
            self._store.added(seal(note, secret, self._randomness.bytes(NONCE_BYTES)), at.year * 100 + at.month)
            for secret in dict.fromkeys(secrets)  # a child who is registered twice is one
        )
        return (Change((), Code.INTERNAL, alone=False, added=added),) if added else ()


def instant(at: datetime) -> str:
    """RFC 3339, UTC, always with microseconds: in the order of texts is the order of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
