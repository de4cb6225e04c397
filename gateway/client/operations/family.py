"""The family's view: contracts/family/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.client.typed import Asked, Asking, each, moment_of, tuple_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "FamilyOperations",
    "FamilyViewAnswer",
    "FamilyViewAnswerDisclosure",
]


@dataclass(frozen=True, slots=True)
class FamilyViewAnswerDisclosure:
    """What is answered, as far as it is agreed.

    Attributes:
        at: When it was asked for or announced (UTC).
        party: Who received it, having asked for it or by a notice, in a word.
        party_fr: Its title, in French.
        party_en: Its title, in English.
        sent_to: To whom the data of the request itself went, in a word; absent where it held none.
        sent_to_fr: Its title, in French.
        sent_to_en: Its title, in English.
        operation: The operation.
        operation_fr: What it does, in French.
        operation_en: What it does, in English.
        purpose: The purpose that was declared.
        agreement: The agreement that allowed it.
        legal_basis_fr: What it rests on, in French.
        legal_basis_en: What it rests on, in English.
        fields: The names of the fields disclosed.
        fields_fr: The same, in the same order, in French words.
        fields_en: The same, in the same order, in English words.
        exchange_id: The exchange, as the log proves it.
    """

    at: datetime | None = None
    party: str | None = None
    party_fr: str | None = None
    party_en: str | None = None
    sent_to: str | None = None
    sent_to_fr: str | None = None
    sent_to_en: str | None = None
    operation: str | None = None
    operation_fr: str | None = None
    operation_en: str | None = None
    purpose: str | None = None
    agreement: str | None = None
    legal_basis_fr: str | None = None
    legal_basis_en: str | None = None
    fields: tuple[str, ...] | None = None
    fields_fr: tuple[str, ...] | None = None
    fields_en: tuple[str, ...] | None = None
    exchange_id: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> FamilyViewAnswerDisclosure:
        """From the fields of a verified answer."""
        return cls(
            at=moment_of(fields.get("at")),
            party=fields.get("party"),
            party_fr=fields.get("party_fr"),
            party_en=fields.get("party_en"),
            sent_to=fields.get("sent_to"),
            sent_to_fr=fields.get("sent_to_fr"),
            sent_to_en=fields.get("sent_to_en"),
            operation=fields.get("operation"),
            operation_fr=fields.get("operation_fr"),
            operation_en=fields.get("operation_en"),
            purpose=fields.get("purpose"),
            agreement=fields.get("agreement"),
            legal_basis_fr=fields.get("legal_basis_fr"),
            legal_basis_en=fields.get("legal_basis_en"),
            fields=tuple_of(fields.get("fields")),
            fields_fr=tuple_of(fields.get("fields_fr")),
            fields_en=tuple_of(fields.get("fields_en")),
            exchange_id=fields.get("exchange_id"),
        )


@dataclass(frozen=True, slots=True)
class FamilyViewAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        handle: The child's handle, to use from now on.
        disclosures: The disclosures, newest first.
        more: Whether there are older ones: then before goes on.
    """

    handle: str | None = None
    disclosures: tuple[FamilyViewAnswerDisclosure, ...] | None = None
    more: bool | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> FamilyViewAnswer:
        """From the fields of a verified answer."""
        return cls(
            handle=fields.get("handle"),
            disclosures=each(FamilyViewAnswerDisclosure.of)(fields.get("disclosures")),
            more=fields.get("more"),
        )


class FamilyOperations(Asking):
    """The family's view."""

    def family_view(
        self,
        *,
        handle: str,
        before: datetime | None = None,
    ) -> Answered[FamilyViewAnswer]:
        """Learn who received what about a child.

        The disclosures about a child, newest first: when, to whom, by which operation, for what purpose, under which
        agreement, which fields. What was refused is not there: nothing was disclosed then. Each view is itself in those
        that come after it.

        Args:
            handle: The child's handle for this caller.
            before: To go on, the instant (at) of the last disclosure received; without it, the newest ones.

        Raises:
            RefusedError: field_invalid, not_agreed, purpose_not_agreed, handle_unknown.
        """
        asked = Asked("family.view", FamilyViewAnswer.of, salted=False, effects=False)
        fields = {
            "handle": handle,
            "before": before,
        }
        return self._ask(asked, fields)
