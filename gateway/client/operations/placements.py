"""Placement notices: contracts/placements/v1; made by `make contracts`, never by hand."""

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
    "PlacementNotifyAnswer",
    "PlacementsOperations",
]


@dataclass(frozen=True, slots=True)
class PlacementNotifyAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: The answer: the notice will be delivered.
        delivery: The delivery's id, which the addressee receives too.
        handle: The child's handle, to use from now on.
    """

    outcome: Literal["accepted"] | None = None
    delivery: str | None = None
    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> PlacementNotifyAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            delivery=fields.get("delivery"),
            handle=fields.get("handle"),
        )


class PlacementsOperations(Asking):
    """Placement notices."""

    def placement_notify(
        self,
        *,
        handle: str,
        addressee: str,
        event: Literal["offered", "accepted", "begun", "ended"],
        date: date,
        permit: str,
        region: str,
        idempotency_key: str | None = None,
    ) -> Answered[PlacementNotifyAnswer]:
        """Notify a ministry of a place.

        An event of a child's place, for a ministry to know. The answer says that it is accepted and recorded; the
        gateway then delivers it, once, even if the ministry does not answer today.

        Args:
            handle: The child's handle for this caller.
            addressee: The party to be told.
            event: offered, accepted, begun or ended.
            date: The day of the event.
            permit: The childcare provider's permit number.
            region: Administrative region, by its number.
            idempotency_key: A UUID of the caller's own, by which a repeat has no second effect.

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                handle_unknown, not_deliverable, subjects_changed.
        """
        asked = Asked("placement.notify", PlacementNotifyAnswer.of, salted=True, effects=True)
        fields = {
            "handle": handle,
            "addressee": addressee,
            "event": event,
            "date": date,
            "permit": permit,
            "region": region,
        }
        return self._ask(asked, fields, idempotency_key)
