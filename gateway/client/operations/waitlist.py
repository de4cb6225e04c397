"""Waiting-list statistics: contracts/waitlist/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking, date_of, decimal_of, each, moment_of, tuple_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "WaitlistCountsAnswer",
    "WaitlistCountsAnswerRow",
    "WaitlistOperations",
    "WaitlistStatisticsAnswer",
    "WaitlistStatisticsAnswerDefinition",
    "WaitlistStatisticsAnswerRegion",
]


@dataclass(frozen=True, slots=True)
class WaitlistStatisticsAnswerDefinition:
    """What is answered, as far as it is agreed.

    Attributes:
        definition: all, every registration; born, children who are born; wanted_by_now, the wanted date has passed;
            without_place, with no place elsewhere.
        waiting: The number; null where it is withheld.
    """

    definition: Literal["all", "born", "wanted_by_now", "without_place"] | None = None
    waiting: int | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> WaitlistStatisticsAnswerDefinition:
        """From the fields of a verified answer."""
        return cls(
            definition=fields.get("definition"),
            waiting=fields.get("waiting"),
        )


@dataclass(frozen=True, slots=True)
class WaitlistStatisticsAnswerRegion:
    """What is answered, as far as it is agreed.

    Attributes:
        code: The region's number.
        name: The region's name.
        waiting: Children who wait in the region; null where the number is withheld.
        average_wait_months: Average wait in months.
        places: Licensed places in the region; absent where they are not counted.
        definitions: The same count by each definition.
    """

    code: str | None = None
    name: str | None = None
    waiting: int | None = None
    average_wait_months: Decimal | None = None
    places: int | None = None
    definitions: tuple[WaitlistStatisticsAnswerDefinition, ...] | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> WaitlistStatisticsAnswerRegion:
        """From the fields of a verified answer."""
        return cls(
            code=fields.get("code"),
            name=fields.get("name"),
            waiting=fields.get("waiting"),
            average_wait_months=decimal_of(fields.get("average_wait_months")),
            places=fields.get("places"),
            definitions=each(WaitlistStatisticsAnswerDefinition.of)(fields.get("definitions")),
        )


@dataclass(frozen=True, slots=True)
class WaitlistStatisticsAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        as_of: The day that was counted.
        counted_at: When it was counted (UTC).
        final: True where the numbers will not change any more; false where they are provisional.
        waiting: Children who wait for a place, in all.
        average_wait_months: Average wait in months; null where it is withheld.
        note: A caution of those who count.
        regions: The regions; empty where none is counted.
    """

    as_of: date | None = None
    counted_at: datetime | None = None
    final: bool | None = None
    waiting: int | None = None
    average_wait_months: Decimal | None = None
    note: str | None = None
    regions: tuple[WaitlistStatisticsAnswerRegion, ...] | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> WaitlistStatisticsAnswer:
        """From the fields of a verified answer."""
        return cls(
            as_of=date_of(fields.get("as_of")),
            counted_at=moment_of(fields.get("counted_at")),
            final=fields.get("final"),
            waiting=fields.get("waiting"),
            average_wait_months=decimal_of(fields.get("average_wait_months")),
            note=fields.get("note"),
            regions=each(WaitlistStatisticsAnswerRegion.of)(fields.get("regions")),
        )


@dataclass(frozen=True, slots=True)
class WaitlistCountsAnswerRow:
    """What is answered, as far as it is agreed.

    Attributes:
        categories: The category, or those that are counted as one.
        all: All of them.
        without_service: Without any service.
        holding_non_subsidised: Holding a non-subsidised place and waiting for a subsidised one.
        unborn: Of unborn children.
    """

    categories: tuple[Literal["by_now", "within_6_months", "within_12_months", "later"], ...] | None = None
    all: int | None = None
    without_service: int | None = None
    holding_non_subsidised: int | None = None
    unborn: int | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> WaitlistCountsAnswerRow:
        """From the fields of a verified answer."""
        return cls(
            categories=tuple_of(fields.get("categories")),
            all=fields.get("all"),
            without_service=fields.get("without_service"),
            holding_non_subsidised=fields.get("holding_non_subsidised"),
            unborn=fields.get("unborn"),
        )


@dataclass(frozen=True, slots=True)
class WaitlistCountsAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        as_of: The day that was asked for.
        counted_at: The instant at which the registrations that are counted were in force (UTC).
        least: The smallest number of children, zero apart, that is shown or that can be derived.
        all: Every registration in force, of whoever is registered: children born or unborn, with or without a service;
            null where it is withheld.
        without_service: Of these registrations, those of children who have no childcare service at all.
        holding_non_subsidised: Of these registrations, those of children who hold a non-subsidised place and wait for a
            subsidised one.
        unborn: Of these registrations, those of children who were not born, or whose birth is not registered.
        by_region: By administrative region, by its number.
        by_age: By age in completed years.
        by_desired_date: By desired date: it has passed, within six months, within twelve months, later.
    """

    as_of: date | None = None
    counted_at: datetime | None = None
    least: int | None = None
    all: int | None = None
    without_service: int | None = None
    holding_non_subsidised: int | None = None
    unborn: int | None = None
    by_region: tuple[WaitlistCountsAnswerRow, ...] | None = None
    by_age: tuple[WaitlistCountsAnswerRow, ...] | None = None
    by_desired_date: tuple[WaitlistCountsAnswerRow, ...] | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> WaitlistCountsAnswer:
        """From the fields of a verified answer."""
        return cls(
            as_of=date_of(fields.get("as_of")),
            counted_at=moment_of(fields.get("counted_at")),
            least=fields.get("least"),
            all=fields.get("all"),
            without_service=fields.get("without_service"),
            holding_non_subsidised=fields.get("holding_non_subsidised"),
            unborn=fields.get("unborn"),
            by_region=each(WaitlistCountsAnswerRow.of)(fields.get("by_region")),
            by_age=each(WaitlistCountsAnswerRow.of)(fields.get("by_age")),
            by_desired_date=each(WaitlistCountsAnswerRow.of)(fields.get("by_desired_date")),
        )


class WaitlistOperations(Asking):
    """Waiting-list statistics."""

    def waitlist_statistics(
        self,
        *,
        as_of: date,
        region: Literal["03", "06", "13"] | None = None,
    ) -> Answered[WaitlistStatisticsAnswer]:
        """Get the waiting-list statistics.

        The number of children who wait on a day, by region and by each definition, as the single window counts them. No
        personal data; small numbers are withheld at the source.

        Args:
            as_of: The day that is counted (YYYY-MM-DD).
            region: One administrative region only, by its number; without it, all of them.

        Raises:
            RefusedError: field_invalid, not_agreed, purpose_not_agreed, upstream_unavailable, upstream_timeout,
                upstream_untrusted, upstream_malformed.
        """
        asked = Asked("waitlist.statistics", WaitlistStatisticsAnswer.of, salted=False, effects=False)
        fields = {
            "as_of": as_of,
            "region": region,
        }
        return self._ask(asked, fields)

    def waitlist_counts(
        self,
        *,
        as_of: date,
    ) -> Answered[WaitlistCountsAnswer]:
        """Count the registrations by each definition.

        How many children wait, by four named definitions, and each by region, by age and by desired date, at the end of
        the last month that was over on the day asked for. The same question about a month that is over always gives the
        same numbers. Where a part of a category is of 1 to 4 children, it and its neighbours are counted as one, all of
        them if need be: no number that is shown, and no difference, is that of a few children.

        Args:
            as_of: A day (YYYY-MM-DD); what is counted is the end of the last month that was over on that day.

        Raises:
            RefusedError: field_invalid, not_agreed, purpose_not_agreed, upstream_unavailable, upstream_timeout,
                upstream_untrusted, upstream_malformed.
        """
        asked = Asked("waitlist.counts", WaitlistCountsAnswer.of, salted=False, effects=False)
        fields = {
            "as_of": as_of,
        }
        return self._ask(asked, fields)
