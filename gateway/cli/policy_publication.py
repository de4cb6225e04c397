"""After an activation: whether the published log shows it, so that nobody can take it back unseen (P1, L6).

Until then it stands in the database alone, and whoever can write there can delete it (docs/decisions/0013).
"""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.cli.output import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.output import Output
    from gateway.ports import Clock

PATIENCE_SECONDS = 15.0
_SAY_AFTER_SECONDS = 2.0
_LOOK_SECONDS = 0.1


class Publication(StrEnum):
    """What became of an activation: its word in ``--json``."""

    PUBLISHED = "published"
    #: No sequencer runs, so nothing is published.
    STOPPED = "stopped"
    #: One runs, and has not published it in time: something is wrong, or somebody took it away.
    OVERDUE = "overdue"

    @property
    def exit(self) -> Exit:
        """An activation that is overdue is not to be relied on, though the database has had it."""
        return Exit.OUTSIDE if self is Publication.OVERDUE else Exit.HOLDS


def await_publication(
    output: Output,
    clock: Clock,
    *,
    is_published: Callable[[], bool],
    is_running: Callable[[], bool],
    patience: float | None = None,
) -> Publication:
    """Waits at most ``patience`` seconds (``PATIENCE_SECONDS``), as long as a sequencer runs.

    Raises what ``is_published`` raises.
    """
    began, pause, said = clock.monotonic(), threading.Event(), False
    patience = PATIENCE_SECONDS if patience is None else patience
    while not is_published():
        if not is_running():
            # it may have ended just after it published
            return Publication.PUBLISHED if is_published() else Publication.STOPPED
        waited = clock.monotonic() - began
        if waited >= patience:
            return Publication.OVERDUE
        if waited >= _SAY_AFTER_SECONDS and not said:
            output.say("policy.publication_awaited", seconds=int(patience))
            said = True
        pause.wait(_LOOK_SECONDS)
    return Publication.PUBLISHED


def say_publication(output: Output, found: Publication) -> None:
    """In words; loudly where it is not published."""
    if found is Publication.PUBLISHED:
        output.say("policy.publication_published")
    else:
        output.fail(f"policy.publication_{found.value}", seconds=int(PATIENCE_SECONDS))
