"""What a REST operation of another system offers, whether it is of our profile or by mapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.mapping.apart import Apart
    from adapters.mapping.planning import ReadAnswer


@dataclass(frozen=True, slots=True)
class RestCall:
    """A request, not yet signed: the raw target below the upstream's address, and the JSON body or nothing.

    ``repeats`` is what its answer must say again (planning.Repeats).
    """

    method: str
    target: str
    body: bytes = field(repr=False)
    repeats: tuple[str | None, ...] = field(default=(), repr=False)


class RestOperation(Protocol):
    """One canonical operation as a REST service knows it; pure, without network and without keys."""

    @property
    def statuses(self) -> frozenset[int]:
        """The HTTP statuses of answers that mean something."""
        ...

    @property
    def secret_answer(self) -> bool:
        """Whether the answer holds personal data."""
        ...

    @property
    def apart(self) -> Apart:
        """Which messages evidence seals apart (C5)."""
        ...

    def request(self, fields: Mapping[str, object], salt: bytes) -> RestCall:
        """The request that asks for this; raises Refusal (``field_invalid``)."""
        ...

    def read(self, status: int, body: bytes) -> ReadAnswer:
        """Their answer as canonical fields; raises ValueUnfitError."""
        ...
