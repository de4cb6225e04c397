"""The third way of C5: what was signed of a message is sealed apart in evidence, under the officers' key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError
from gateway.model import ApartPart, RestPart, SignedPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import TlsPart


@dataclass(frozen=True, slots=True)
class Apart:
    """Which messages of an operation hold personal data and neither a salt nor ciphertext in its place."""

    request: bool = False
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Keeping:
    """What evidence keeps of one question and its answer; ``officers`` is their raw public key, None if not needed."""

    apart: Apart
    officers: bytes | None

    def asked(self, part: SignedPart | RestPart) -> SignedPart | RestPart | ApartPart:
        """Of our request."""
        return part if self.officers is None or not self.apart.request else ApartPart(part, self.officers)

    def answered(self, part: SignedPart | RestPart | TlsPart) -> SignedPart | RestPart | ApartPart | TlsPart:
        """Of their answer; one that nobody signed has nothing in evidence that could be tried."""
        if self.officers is None or not self.apart.answer or not isinstance(part, SignedPart | RestPart):
            return part
        return ApartPart(part, self.officers)


def keeping(apart: Apart, officers: Callable[[], bytes]) -> Keeping:
    """``officers`` gives their key, by the policy in force; what it raises, before anything is sent, goes through."""
    return Keeping(apart, officers() if apart.request or apart.answer else None)


def nobody() -> bytes:
    """Where no officers' key was given; raises KeystoreError."""
    raise KeystoreError("apart_key_missing")
