"""Registrations at the single window: contracts/registrations/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking, date_of, each

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "RegistrationGetAnswer",
    "RegistrationGetAnswerParent",
    "RegistrationSearchAnswer",
    "RegistrationSearchAnswerHit",
    "RegistrationsOperations",
]


@dataclass(frozen=True, slots=True)
class RegistrationGetAnswerParent:
    """What is answered, as far as it is agreed.

    Attributes:
        family_name: Family name.
        given_names: Given names.
        phone: Telephone.
    """

    family_name: str | None = None
    given_names: str | None = None
    phone: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationGetAnswerParent:
        """From the fields of a verified answer."""
        return cls(
            family_name=fields.get("family_name"),
            given_names=fields.get("given_names"),
            phone=fields.get("phone"),
        )


@dataclass(frozen=True, slots=True)
class RegistrationGetAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: found; whoever has no registration is a refusal, not_registered.
        handle: The child's handle, to use from now on.
        family_name: The child's family name.
        given_names: Given names; absent before birth.
        birth_date: Birth date.
        expected_date: The date of birth that is expected, where the child is not born.
        region: Administrative region, by its number.
        registered_on: The day of registration.
        desired_on: The day from which a place is wanted.
        service_wanted: The service wanted: cpe, early childhood centre; subsidised_daycare, subsidised day care;
            home_care, home child care.
        service_held: The service that the child has now; none where it has none.
        parents: Who registered the child.
        state: Digest of the registration under a key of the cooperative's; whoever changes it repeats this. The same
            for whoever is given it: one party alone should be, or two files could be joined by it.
    """

    outcome: Literal["found", "not_found"] | None = None
    handle: str | None = None
    family_name: str | None = None
    given_names: str | None = None
    birth_date: date | None = None
    expected_date: date | None = None
    region: str | None = None
    registered_on: date | None = None
    desired_on: date | None = None
    service_wanted: Literal["cpe", "subsidised_daycare", "home_care"] | None = None
    service_held: Literal["none", "non_subsidised_daycare", "home_care", "temporary_place"] | None = None
    parents: tuple[RegistrationGetAnswerParent, ...] | None = None
    state: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationGetAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
            family_name=fields.get("family_name"),
            given_names=fields.get("given_names"),
            birth_date=date_of(fields.get("birth_date")),
            expected_date=date_of(fields.get("expected_date")),
            region=fields.get("region"),
            registered_on=date_of(fields.get("registered_on")),
            desired_on=date_of(fields.get("desired_on")),
            service_wanted=fields.get("service_wanted"),
            service_held=fields.get("service_held"),
            parents=each(RegistrationGetAnswerParent.of)(fields.get("parents")),
            state=fields.get("state"),
        )


@dataclass(frozen=True, slots=True)
class RegistrationSearchAnswerHit:
    """What is answered, as far as it is agreed.

    Attributes:
        handle: The child's handle for this caller.
        family_name: The child's family name.
        given_names: Given names; absent before birth.
        birth_date: Birth date.
        region: Administrative region.
    """

    handle: str | None = None
    family_name: str | None = None
    given_names: str | None = None
    birth_date: date | None = None
    region: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationSearchAnswerHit:
        """From the fields of a verified answer."""
        return cls(
            handle=fields.get("handle"),
            family_name=fields.get("family_name"),
            given_names=fields.get("given_names"),
            birth_date=date_of(fields.get("birth_date")),
            region=fields.get("region"),
        )


@dataclass(frozen=True, slots=True)
class RegistrationSearchAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: found, even where nothing answers; too many answers is a refusal, search_too_wide.
        hits: The registrations found; empty where none is.
    """

    outcome: Literal["found", "too_many"] | None = None
    hits: tuple[RegistrationSearchAnswerHit, ...] | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RegistrationSearchAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            hits=each(RegistrationSearchAnswerHit.of)(fields.get("hits")),
        )


class RegistrationsOperations(Asking):
    """Registrations at the single window."""

    def registration_get(
        self,
        *,
        handle: str,
    ) -> Answered[RegistrationGetAnswer]:
        """Look a registration up.

        The registration of a child that the caller knows by a handle of its own. Only the fields that the agreement
        names are given.

        Args:
            handle: The child's handle for this caller.

        Raises:
            RefusedError: field_invalid, not_agreed, purpose_not_agreed, handle_unknown, not_registered,
                upstream_unavailable, upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("registration.get", RegistrationGetAnswer.of, salted=False, effects=False)
        fields = {
            "handle": handle,
        }
        return self._ask(asked, fields)

    def registration_search(
        self,
        *,
        family_name: str | None = None,
        given_names: str | None = None,
        birth_date: date | None = None,
        parent_family_name: str | None = None,
        parent_given_names: str | None = None,
        phone: str | None = None,
        region: str | None = None,
    ) -> Answered[RegistrationSearchAnswer]:
        """Search for a registration.

        The registrations that meet every criterion given, at least two of them among those that point to a family: the
        child's family and given names, the birth date, a parent's family and given names, the telephone. The region
        narrows a search and does not count. Ten answers at most; beyond, a refusal, and none is given.

        Args:
            family_name: The child's family name, whole; accents and hyphens do not matter.
            given_names: The child's given names, whole.
            birth_date: Birth date.
            parent_family_name: A parent's family name, whole.
            parent_given_names: The same parent's given names, whole.
            phone: A parent's telephone.
            region: Administrative region; does not count.

        Raises:
            RefusedError: body_malformed, field_invalid, too_few_criteria, salt_invalid, salt_repeated, not_agreed,
                purpose_not_agreed, search_too_wide, upstream_unavailable, upstream_timeout, upstream_untrusted,
                upstream_malformed.
        """
        asked = Asked("registration.search", RegistrationSearchAnswer.of, salted=True, effects=False)
        fields = {
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
            "parent_family_name": parent_family_name,
            "parent_given_names": parent_given_names,
            "phone": phone,
            "region": region,
        }
        return self._ask(asked, fields)
