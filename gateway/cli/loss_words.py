"""A loss in words: the same for whoever writes, signs or records it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.policy_words import local

if TYPE_CHECKING:
    from gateway.messages.catalogue import Catalogue
    from gateway.policy.recovery import Loss


def values_of(t: Catalogue, loss: Loss) -> dict[str, object]:
    """What the sentences about it say."""
    return {
        "size": loss.size,
        "since": local(loss.since),
        "until": local(loss.until),
        "count": len(loss.exchanges),
        "reason": t(f"loss.reason.{loss.reason}"),
    }
