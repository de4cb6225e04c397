"""Upstreams that are none: one answers with what it was asked (echo), the other is not configured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Code
from gateway.model import Reply, UpstreamRefusal

if TYPE_CHECKING:
    from gateway.model import Grant


class Loopback:
    """ports.Upstream without another system."""

    def call(self, grant: Grant) -> Reply:
        """The message's own fields."""
        return Reply(upstream=None, fields=dict(grant.message.fields), attempts=())


class Absent:
    """ports.Upstream of a system that this gateway's settings do not name: it can only be unavailable."""

    def call(self, _grant: Grant) -> Reply:
        """Raises UpstreamRefusal (``upstream_unavailable``)."""
        raise UpstreamRefusal(Code.UPSTREAM_UNAVAILABLE)
