"""The upstream that is none: an operation of public fields is answered with what it was asked (echo)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.model import Reply

if TYPE_CHECKING:
    from gateway.model import Grant


class Loopback:
    """ports.Upstream without another system."""

    def call(self, grant: Grant) -> Reply:
        """The message's own fields."""
        return Reply(upstream=None, fields=dict(grant.message.fields), attempts=())
