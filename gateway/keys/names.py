"""What keys are called, and which of them a process may use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


def nirec_key(generation: int | str) -> str:
    """The name of the pseudonym key of a generation (N2); of an empty text, the beginning of all their names."""
    return f"nirec-{generation}"


def handle_key(party: str) -> str:
    """The name of the key that makes a party's handles (N3)."""
    return f"handle-{party}"


def generation_key(kind: str, generation: int) -> str:
    """The name of a generation of a kind that began without one: ``signing``, ``signing-1``, ``signing-2``..."""
    return f"{kind}-{generation}" if generation else kind


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The keys that a process may use (S5): some by their name, some by its beginning, since they come while it runs.

    Attributes:
        exact: names that must be there from the start.
        beginnings: such as ``nirec-``: a new generation, or a new party, needs no restart.
    """

    exact: frozenset[str]
    beginnings: tuple[str, ...] = field(default=())

    def __contains__(self, name: str) -> bool:
        if _NAME.fullmatch(name) is None:
            return False  # a name becomes part of a path
        return name in self.exact or name.startswith(self.beginnings)
