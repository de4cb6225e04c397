"""What a family is told: the disclosures of one child, newest first, so many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from gateway.family.note import lookup_of, unseal
from gateway.family.notes import instant
from gateway.model import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.family.note import Note
    from gateway.family.notes import NoteStore
    from gateway.model import Grant

#: How many one answer tells of; the contract's maxItems.
MOST = 50


@dataclass(frozen=True, slots=True)
class Words:
    """What the words of a note are called, French and English; ``sent_to`` is None where it is no party.

    ``fields`` are in the note's order.
    """

    party: tuple[str, str]
    sent_to: tuple[str, str] | None
    operation: tuple[str, str]
    legal_basis: tuple[str, str]
    fields: tuple[tuple[str, str], ...]


class Secrets(Protocol):
    """Whose child a handle is."""

    def __call__(self, handle: str, party: str) -> Sequence[bytes]:
        """The secrets of the child and of all that became it; raises Refusal (handle_unknown)."""
        ...


class FamilyView:
    """ports.Upstream of the operation that asks the gateway's own notes."""

    def __init__(self, store: NoteStore, secrets: Secrets, words: Callable[[Note], Words]) -> None:
        """``words`` explains a note by the policy of its time."""
        self._store = store
        self._secrets = secrets
        self._words = words

    def call(self, grant: Grant) -> Reply:
        """The answer's fields; ``before`` is the instant of the last disclosure that the caller has been told of."""
        message = grant.message
        handle, before = str(message.fields["handle"]), message.fields.get("before")
        notes = self._notes(self._secrets(handle, message.request.party.name))
        if before is not None:
            limit = instant(datetime.fromisoformat(str(before)))
            notes = [note for note in notes if note.at < limit]
        page = _page(notes)
        fields: dict[str, object] = {
            "disclosures": [self._told(note) for note in page],
            "more": len(page) < len(notes),
        }
        return Reply(upstream=None, fields=fields, attempts=())

    def _notes(self, secrets: Sequence[bytes]) -> list[Note]:
        """All of this child's, newest first."""
        by_lookup = {lookup_of(secret): secret for secret in secrets}
        notes = [unseal(sealed, by_lookup[sealed.lookup]) for sealed in self._store.of(tuple(by_lookup))]
        return sorted(notes, key=lambda note: (note.at, note.exchange_id), reverse=True)

    def _told(self, note: Note) -> dict[str, object]:
        words = self._words(note)
        sent = {}
        if words.sent_to is not None:
            sent = {"sent_to": note.sent_to, "sent_to_fr": words.sent_to[0], "sent_to_en": words.sent_to[1]}
        return {
            "at": note.at,
            "party": note.party,
            "party_fr": words.party[0],
            "party_en": words.party[1],
            **sent,
            "operation": note.operation,
            "operation_fr": words.operation[0],
            "operation_en": words.operation[1],
            "purpose": note.purpose,
            "agreement": note.agreement,
            "legal_basis_fr": words.legal_basis[0],
            "legal_basis_en": words.legal_basis[1],
            "fields": list(note.fields),
            "fields_fr": [french for french, _ in words.fields],
            "fields_en": [english for _, english in words.fields],
            "exchange_id": note.exchange_id,
        }


def _page(notes: Sequence[Note]) -> Sequence[Note]:
    """The first ones; never some of those of one instant alone, since whoever goes on asks for what came before it."""
    page = list(notes[:MOST])
    if len(notes) > MOST:
        kept = [note for note in page if note.at > notes[MOST].at]
        return kept or page  # as many at one instant: not in this world
    return page
