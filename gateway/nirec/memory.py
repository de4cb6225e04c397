"""What keeps a NIREC in memory from reaching a disk: no core dumps, no tracing by others, masked logs (N1)."""

from __future__ import annotations

import ctypes
import re
import resource
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """RLIMIT_CORE=0 and PR_SET_DUMPABLE=0, for this process; raises ConfigurationError where refused.

    The second does not outlive an exec: each process calls this for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ConfigurationError("core_dumps")


class NirecMask:
    """A structlog processor that masks whatever looks like a NIREC in a log line.

    Nothing should ever write one; this is the second lock on that door.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(rf"(?<!\d)(?:{pattern})(?!\d)")

    def __call__(self, _logger: object, _method: str, event: Mapping[str, object]) -> Mapping[str, object]:
        """The event with every string masked."""
        return {key: self.mask(value) for key, value in event.items()}

    def mask(self, value: object) -> object:
        """The value; a string, or what a container's text shows, without digits that could be a NIREC."""
        if isinstance(value, int) and not isinstance(value, bool) and self._pattern.search(str(value)):
            return "NIREC(•••)"
        if isinstance(value, (list, tuple, dict, set)):
            text = str(value)
            return self._pattern.sub("NIREC(•••)", text) if self._pattern.search(text) else value
        return self._pattern.sub("NIREC(•••)", value) if isinstance(value, str) else value
