"""What the commands print: words for people, or JSON for scripts; and the exit codes that scripts can trust."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from rich.console import Console

from gateway.ledger.encoding import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.messages.catalogue import Catalogue


class Exit(IntEnum):
    """Exit codes (DESIGN, section 3)."""

    HOLDS = 0
    REFUSED = 1
    USAGE = 2
    OUTSIDE = 3
    OURS = 70


def _plain(value: object) -> str:
    """What JSON has no form of its own for; a time in RFC 3339, UTC."""
    return timestamp(value) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True)
class Output:
    """One command's output."""

    t: Catalogue
    as_json: bool = False

    @property
    def console(self) -> Console:
        """Where people read."""
        return Console(highlight=False, soft_wrap=True)

    @property
    def error_console(self) -> Console:
        """Where progress and failures are shown."""
        return Console(stderr=True, highlight=False, soft_wrap=True)

    @staticmethod
    def number(value: int) -> str:
        """A count, its thousands apart by a thin, unbroken space, as both languages can read it."""
        return f"{value:,}".replace(",", "\u202f")

    def say(self, key: str, **values: object) -> None:
        """A line for people; nothing with --json."""
        if not self.as_json:
            self.console.print(self.t(key, **values), markup=False)

    def result(self, content: Mapping[str, object]) -> None:
        """The result for scripts; nothing without --json."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=1, default=_plain) + "\n")

    def fail(self, key: str, **values: object) -> None:
        """A line on standard error, in either form."""
        self.error_console.print(self.t(key, **values), markup=False)
