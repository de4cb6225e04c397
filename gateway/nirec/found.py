"""What the tables say of subjects, as values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Found:
    """A subject as a pseudonym or a handle names it, and the one that it is today: itself, unless it was merged."""

    named: bytes = field(repr=False)
    survivor: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Located:
    """Whom a chain of pseudonyms finds, and the newest generation at that moment."""

    newest: int
    found: Found | None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of the pseudonym key.

    Attributes:
        number: counted from 0.
        complete: no row of an older generation is left.
        proof: what shows which key it has (pseudonyms.PseudonymChain.proof); None until the key was first used.
    """

    number: int
    complete: bool
    proof: bytes | None
