"""Waiting-list statistics: contracts/waitlist/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.client.typed import Asked, Asking, date_of, decimal_of, each, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
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
