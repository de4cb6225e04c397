"""Registering at the single window: contracts/registration_changes/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "RegistrationChangeAnswer",
    "RegistrationChangeParent",
    "RegistrationChangesOperations",
    "RegistrationCreateAnswer",
    "RegistrationCreateParent",
    "RegistrationWithdrawAnswer",
]


@dataclass(frozen=True, slots=True)
class RegistrationCreateParent:
    """One of those that are sent.

    Attributes:
        family_name: Family name.
        given_names: Given names.
        phone: Telephone.
    """

    family_name: str
    given_names: str
    phone: str


@dataclass(frozen=True, slots=True)
class RegistrationCreateAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: registered; a child who is registered already is a refusal, already_registered.
        handle: The child's handle, to use from now on.
        state_before: Digest of the registration before, under a key of the cooperative's; 64 zeros where there was
            none.
        state_after: Digest of the registration after, under the same key; 64 zeros where there is none.
    """

    outcome: Literal["registered", "already_registered", "key_conflict"] | None = None
    handle: str | None = None
    state_before: str | None = None
    state_after: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationCreateAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
            state_before=fields.get("state_before"),
            state_after=fields.get("state_after"),
        )


@dataclass(frozen=True, slots=True)
class RegistrationChangeParent:
    """One of those that are sent.

    Attributes:
        family_name: Family name.
        given_names: Given names.
        phone: Telephone.
    """

    family_name: str
    given_names: str
    phone: str


@dataclass(frozen=True, slots=True)
class RegistrationChangeAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: changed; whoever is not registered, or was changed since, is a refusal.
        handle: The child's handle, to use from now on.
        state_before: Digest of the registration before, under a key of the cooperative's; 64 zeros where there was
            none.
        state_after: Digest of the registration after, under the same key; 64 zeros where there is none.
    """

    outcome: Literal["changed", "not_found", "state_changed", "key_conflict"] | None = None
    handle: str | None = None
    state_before: str | None = None
    state_after: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationChangeAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
            state_before=fields.get("state_before"),
            state_after=fields.get("state_after"),
        )


@dataclass(frozen=True, slots=True)
class RegistrationWithdrawAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: withdrawn; whoever is not registered, or was changed since, is a refusal.
        handle: The child's handle, to use from now on.
        state_before: Digest of the registration before, under a key of the cooperative's; 64 zeros where there was
            none.
        state_after: Digest of the registration after, under the same key; 64 zeros where there is none.
    """

    outcome: Literal["withdrawn", "not_found", "state_changed", "key_conflict"] | None = None
    handle: str | None = None
    state_before: str | None = None
    state_after: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationWithdrawAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
            state_before=fields.get("state_before"),
            state_after=fields.get("state_after"),
        )


class RegistrationChangesOperations(Asking):
    """Registering at the single window."""

    def registration_create(
        self,
        *,
        handle: str,
        family_name: str,
        region: str,
        desired_on: date,
        service_wanted: Literal["cpe", "subsidised_daycare", "home_care"],
        service_held: Literal["none", "non_subsidised_daycare", "home_care", "temporary_place"],
        parents: Sequence[RegistrationCreateParent],
        given_names: str | None = None,
        birth_date: date | None = None,
        expected_date: date | None = None,
        idempotency_key: str | None = None,
    ) -> Answered[RegistrationCreateAnswer]:
        """Register a child.

        Registers a child that the caller knows by a handle of its own, because it had the child verified or expects it.
        The cooperative is given its own handle for this child, never the NIREC.

        Args:
            handle: The child's handle for this caller.
            family_name: The child's family name.
            region: Administrative region, by its number.
            desired_on: The day from which a place is wanted.
            service_wanted: The service wanted: cpe, early childhood centre; subsidised_daycare, subsidised day care;
                home_care, home child care.
            service_held: The service that the child has now; none where it has none.
            parents: Who registers the child.
            given_names: Given names; absent before birth.
            birth_date: Birth date.
            expected_date: The date of birth that is expected, where the child is not born.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                handle_unknown, idempotency_key_missing, idempotency_conflict, already_registered, upstream_unavailable,
                upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("registration.create", RegistrationCreateAnswer.of, salted=True, effects=True)
        fields = {
            "handle": handle,
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
            "expected_date": expected_date,
            "region": region,
            "desired_on": desired_on,
            "service_wanted": service_wanted,
            "service_held": service_held,
            "parents": parents,
        }
        return self._ask(asked, fields, idempotency_key)

    def registration_change(
        self,
        *,
        handle: str,
        if_state: str,
        region: str | None = None,
        desired_on: date | None = None,
        service_wanted: Literal["cpe", "subsidised_daycare", "home_care"] | None = None,
        service_held: Literal["none", "non_subsidised_daycare", "home_care", "temporary_place"] | None = None,
        parents: Sequence[RegistrationChangeParent] | None = None,
        idempotency_key: str | None = None,
    ) -> Answered[RegistrationChangeAnswer]:
        """Change a registration.

        Changes what is given and leaves the rest, if the registration is still in the state that the caller has read.

        Args:
            handle: The child's handle for this caller.
            if_state: The digest that the registration had when last read; where it has another one, nothing is changed.
            region: Administrative region, by its number.
            desired_on: The day from which a place is wanted.
            service_wanted: The service wanted: cpe, early childhood centre; subsidised_daycare, subsidised day care;
                home_care, home child care.
            service_held: The service that the child has now; none where it has none.
            parents: Who registers the child.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                handle_unknown, not_registered, idempotency_key_missing, idempotency_conflict, state_changed,
                upstream_unavailable, upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("registration.change", RegistrationChangeAnswer.of, salted=True, effects=True)
        fields = {
            "handle": handle,
            "if_state": if_state,
            "region": region,
            "desired_on": desired_on,
            "service_wanted": service_wanted,
            "service_held": service_held,
            "parents": parents,
        }
        return self._ask(asked, fields, idempotency_key)

    def registration_withdraw(
        self,
        *,
        handle: str,
        if_state: str,
        reason: Literal["place_found", "family_left", "entered_in_error"],
        idempotency_key: str | None = None,
    ) -> Answered[RegistrationWithdrawAnswer]:
        """Withdraw a registration.

        Withdraws the registration, if it is still in the state that the caller has read. What it said until then stays
        counted in the statistics of past days.

        Args:
            handle: The child's handle for this caller.
            if_state: The digest that the registration had when last read; where it has another one, nothing is changed.
            reason: place_found, a place was found; family_left, the family gives up; entered_in_error, entered in
                error.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                handle_unknown, not_registered, idempotency_key_missing, idempotency_conflict, state_changed,
                upstream_unavailable, upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("registration.withdraw", RegistrationWithdrawAnswer.of, salted=True, effects=True)
        fields = {
            "handle": handle,
            "if_state": if_state,
            "reason": reason,
        }
        return self._ask(asked, fields, idempotency_key)
