"""The upstream of operations that concern our own subjects alone: nobody else is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.model import Reply

if TYPE_CHECKING:
    from gateway.model import Grant


class Unasked:
    """ports.Upstream without another system; what the exchange does with the subject is step 7's."""

    def call(self, grant: Grant) -> Reply:  # noqa: ARG002  the port's signature
        """Nothing: no field of the request comes back."""
        return Reply(upstream=None, fields={}, attempts=())
