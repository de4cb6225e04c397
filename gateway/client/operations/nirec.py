"""NIREC verification: contracts/nirec/v1; made by `make contracts`, never by hand."""

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
    "NirecOperations",
    "NirecVerifyAnswer",
]


@dataclass(frozen=True, slots=True)
class NirecVerifyAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        outcome: What the registry says; not_found only where the agreement allows it.
        handle: The child's handle for this caller, stable; cannot be led back to the NIREC.
    """

    outcome: Literal["confirmed", "not_confirmed", "not_found"] | None = None
    handle: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> NirecVerifyAnswer:
        """From the fields of a verified answer."""
        return cls(
            outcome=fields.get("outcome"),
            handle=fields.get("handle"),
        )


class NirecOperations(Asking):
    """NIREC verification."""

    def nirec_verify(
        self,
        *,
        nirec: str,
        family_name: str,
        given_names: str,
        birth_date: date,
    ) -> Answered[NirecVerifyAnswer]:
        """Verify a NIREC with the civil registry.

        Confirms or not that a civil registry number belongs to this name and birth date. A handle that is the caller's
        own is given only when the registry confirms.

        Args:
            nirec: Civil registry number; its form is the setting nirec.pattern (13 digits).
            family_name: Family name at birth.
            given_names: Given names.
            birth_date: Birth date (YYYY-MM-DD).

        Raises:
            RefusedError: body_malformed, field_invalid, salt_invalid, salt_repeated, not_agreed, purpose_not_agreed,
                upstream_unavailable, upstream_timeout, upstream_untrusted, upstream_malformed.
        """
        asked = Asked("nirec.verify", NirecVerifyAnswer.of, salted=True, effects=False)
        fields = {
            "nirec": nirec,
            "family_name": family_name,
            "given_names": given_names,
            "birth_date": birth_date,
        }
        return self._ask(asked, fields)
