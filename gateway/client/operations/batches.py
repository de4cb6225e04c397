"""NIREC verification in batches: contracts/batches/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "BatchAnswerAnswer",
    "BatchGetAnswer",
    "BatchOpenAnswer",
    "BatchVerifyAnswer",
    "BatchesOperations",
]


@dataclass(frozen=True, slots=True)
class BatchOpenAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        batch: The batch's id.
        per_second: Records a second that the registry allows, over all batches.
    """

    batch: str | None = None
    per_second: int | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BatchOpenAnswer:
        """From the fields of a verified answer."""
        return cls(
            batch=fields.get("batch"),
            per_second=fields.get("per_second"),
        )


@dataclass(frozen=True, slots=True)
class BatchVerifyAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: What the registry says; not_found only where the agreement allows it.
        handle: The child's handle for this caller, stable; cannot be led back to the NIREC.
    """

    outcome: Literal["confirmed", "not_confirmed", "not_found"] | None = None
    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BatchVerifyAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
        )


@dataclass(frozen=True, slots=True)
class BatchAnswerAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: What the registry says; not_found only where the agreement allows it.
        handle: The child's handle for this caller, stable; cannot be led back to the NIREC.
    """

    outcome: Literal["confirmed", "not_confirmed", "not_found"] | None = None
    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BatchAnswerAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
        )


@dataclass(frozen=True, slots=True)
class BatchGetAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        records: Records announced.
        rejected: Records that stayed with the caller.
        commitment: HMAC-SHA-256 of the records, in order, under a random key that the caller keeps.
        opened_at: When the batch was opened (UTC).
        answered: Lines that have an answer.
        confirmed: Of those, confirmed.
        not_confirmed: Of those, not confirmed.
        not_found: Of those, not found; 0 where the agreement does not tell them apart.
        complete: True where each line has an answer.
        first_exchange: The first exchange; absent where there is none.
        first_at: Its time (UTC).
        last_exchange: The last exchange; absent where there is none.
        last_at: Its time (UTC).
    """

    records: int | None = None
    rejected: int | None = None
    commitment: str | None = None
    opened_at: datetime | None = None
    answered: int | None = None
    confirmed: int | None = None
    not_confirmed: int | None = None
    not_found: int | None = None
    complete: bool | None = None
    first_exchange: str | None = None
    first_at: datetime | None = None
    last_exchange: str | None = None
    last_at: datetime | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BatchGetAnswer:
        """From the fields of a verified answer."""
        return cls(
            records=fields.get("records"),
            rejected=fields.get("rejected"),
            commitment=fields.get("commitment"),
            opened_at=moment_of(fields.get("opened_at")),
            answered=fields.get("answered"),
            confirmed=fields.get("confirmed"),
            not_confirmed=fields.get("not_confirmed"),
            not_found=fields.get("not_found"),
            complete=fields.get("complete"),
            first_exchange=fields.get("first_exchange"),
            first_at=moment_of(fields.get("first_at")),
            last_exchange=fields.get("last_exchange"),
            last_at=moment_of(fields.get("last_at")),
        )


class BatchesOperations(Asking):
    """NIREC verification in batches."""

    def batch_open(
        self,
        *,
        records: int,
        rejected: int,
        commitment: str,
        idempotency_key: str | None = None,
    ) -> Answered[BatchOpenAnswer]:
        """Open a batch.

        Says how many records will follow, and binds the batch to the file by a code that only the caller can make
        again. Nothing of the file is sent. The answer gives the batch's id and the rate that is allowed. The same
        idempotency key gives the same batch.

        Args:
            records: Records to verify.
            rejected: Records of the file that cannot be asked about, and stay with the caller.
            commitment: HMAC-SHA-256 of the records, in order, under a random key that the caller keeps.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, idempotency_key_missing, idempotency_conflict, not_agreed,
                purpose_not_agreed.
        """
        asked = Asked("batch.open", BatchOpenAnswer.of, salted=False, effects=True)
        fields = {
            "records": records,
            "rejected": rejected,
            "commitment": commitment,
        }
        return self._ask(asked, fields, idempotency_key)

    def batch_verify(
        self,
        *,
        batch: str,
        line: str,
        nirec: str,
        family_name: str,
        given_names: str,
        birth_date: date,
    ) -> Answered[BatchVerifyAnswer]:
        """Verify a record of a batch.

        As nirec.verify, for a line of a batch. A line has one answer: asked again it is refused (line_answered), and
        the registry is not asked; batch.answer gives it again.

        Args:
            batch: The batch's id.
            line: The record's place in the batch, from 1 on.
            nirec: Civil registry number; its form is the setting nirec.pattern (13 digits).
            family_name: Family name at birth.
            given_names: Given names.
            birth_date: Birth date (YYYY-MM-DD).

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                batch_unknown, line_unknown, line_answered, line_in_hand, batch_too_fast, upstream_unavailable,
                upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("batch.verify", BatchVerifyAnswer.of, salted=True, effects=False)
        fields = {
            "batch": batch,
            "line": line,
            "nirec": nirec,
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
        }
        return self._ask(asked, fields)

    def batch_answer(
        self,
        *,
        batch: str,
        line: str,
        nirec: str,
        family_name: str,
        given_names: str,
        birth_date: date,
    ) -> Answered[BatchAnswerAnswer]:
        """Give a line's answer again.

        Gives again what the registry said of a line, to whoever shows the same record; the registry is not asked. For a
        caller who was stopped before keeping the answer.

        Args:
            batch: The batch's id.
            line: The record's place in the batch, from 1 on.
            nirec: Civil registry number; its form is the setting nirec.pattern (13 digits).
            family_name: Family name at birth.
            given_names: Given names.
            birth_date: Birth date (YYYY-MM-DD).

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                batch_unknown, line_unknown, line_differs.
        """
        asked = Asked("batch.answer", BatchAnswerAnswer.of, salted=True, effects=False)
        fields = {
            "batch": batch,
            "line": line,
            "nirec": nirec,
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
        }
        return self._ask(asked, fields)

    def batch_get(
        self,
        *,
        batch: str,
    ) -> Answered[BatchGetAnswer]:
        """How far a batch is.

        How many lines have an answer, and which answers, in numbers only. Signed as every answer is, it is the batch's
        report once complete is true.

        Args:
            batch: The batch's id.

        Raises:
            RefusedError: field_invalid, not_agreed, purpose_not_agreed, batch_unknown.
        """
        asked = Asked("batch.get", BatchGetAnswer.of, salted=False, effects=False)
        fields = {
            "batch": batch,
        }
        return self._ask(asked, fields)
