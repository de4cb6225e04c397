"""Echo: contracts/echo/v1; made by `make contracts`, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.client.typed import Asked, Asking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gateway.client.typed import Answered

__all__ = [
    "EchoAnswer",
    "EchoOperations",
]


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """What is answered, as far as it is agreed.

    Attributes:
        message: The text received.
    """

    message: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> EchoAnswer:
        """From the fields of a verified answer."""
        return cls(
            message=fields.get("message"),
        )


class EchoOperations(Asking):
    """Echo."""

    def echo(
        self,
        *,
        message: str,
    ) -> Answered[EchoAnswer]:
        """Return the message received.

        An integrator's first call. Proves mutual TLS, the signature and the ledger, without personal data.

        Args:
            message: A text without personal data.

        Raises:
            RefusedError: body_malformed, field_invalid, not_agreed, purpose_not_agreed.
        """
        asked = Asked("echo", EchoAnswer.of, salted=False, effects=False)
        fields = {
            "message": message,
        }
        return self._ask(asked, fields)
