"""The child over time: contracts/subjects/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "SubjectBirthAnswer",
    "SubjectExpectAnswer",
    "SubjectMergeAnswer",
    "SubjectsOperations",
]


@dataclass(frozen=True, slots=True)
class SubjectExpectAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        handle: The child's handle for this caller.
    """

    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> SubjectExpectAnswer:
        """From the fields of a verified answer."""
        return cls(
            handle=fields.get("handle"),
        )


@dataclass(frozen=True, slots=True)
class SubjectBirthAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: What the registry says; not_found only where the agreement allows it.
        handle: The child's handle from now on; the one in the request goes on naming it.
    """

    outcome: Literal["confirmed", "not_confirmed", "not_found"] | None = None
    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> SubjectBirthAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
        )


@dataclass(frozen=True, slots=True)
class SubjectMergeAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        handle: The child's handle, to use from now on.
    """

    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> SubjectMergeAnswer:
        """From the fields of a verified answer."""
        return cls(
            handle=fields.get("handle"),
        )


class SubjectsOperations(Asking):
    """The child over time."""

    def subject_expect(
        self,
        *,
        reference: str,
        idempotency_key: str | None = None,
    ) -> Answered[SubjectExpectAnswer]:
        """Register a child to be born.

        Gives the caller a handle for a child that has no NIREC yet. The reference of the parents' file is covered by
        the signature and is not kept. Each idempotency key gives another child.

        Args:
            reference: The parents' file at the caller.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, idempotency_key_missing,
                idempotency_conflict, not_agreed, purpose_not_agreed, subjects_changed.
        """
        asked = Asked("subject.expect", SubjectExpectAnswer.of, salted=True, effects=True)
        fields = {
            "reference": reference,
        }
        return self._ask(asked, fields, idempotency_key)

    def subject_birth(
        self,
        *,
        handle: str,
        nirec: str,
        family_name: str,
        given_names: str,
        birth_date: date,
    ) -> Answered[SubjectBirthAnswer]:
        """Attach a NIREC to an expected child.

        Verifies the NIREC with the civil registry; if it confirms, the NIREC is the expected child's. Refused where the
        caller knows this NIREC under another handle: the two files are then to be merged.

        Args:
            handle: The expected child's handle.
            nirec: Civil registry number; its form is the setting nirec.pattern (13 digits).
            family_name: Family name at birth.
            given_names: Given names.
            birth_date: Birth date (YYYY-MM-DD).

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                handle_unknown, merge_needed, subjects_changed, upstream_unavailable, upstream_timeout,
                upstream_untrusted, upstream_malformed.
        """
        asked = Asked("subject.birth", SubjectBirthAnswer.of, salted=True, effects=False)
        fields = {
            "handle": handle,
            "nirec": nirec,
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
        }
        return self._ask(asked, fields)

    def subject_merge(
        self,
        *,
        handle: str,
        other_handle: str,
        reason: Literal["duplicate_file", "new_number"],
    ) -> Answered[SubjectMergeAnswer]:
        """Merge two files of one child.

        Says that two of the caller's handles name one child. The answer says which to use from now on; the other goes
        on naming it, for ever. Two children with a NIREC each are merged only where the registry has given the child a
        new number.

        Args:
            handle: One handle of the child.
            other_handle: The other handle of the same child.
            reason: duplicate_file, two files for one child; new_number, the registry has changed its number.

        Raises:
            RefusedError: body_malformed, field_invalid, not_agreed, purpose_not_agreed, handle_unknown, merge_refused,
                subjects_changed.
        """
        asked = Asked("subject.merge", SubjectMergeAnswer.of, salted=False, effects=False)
        fields = {
            "handle": handle,
            "other_handle": other_handle,
            "reason": reason,
        }
        return self._ask(asked, fields)
