"""What an exchange is about to have done, once, however often it is asked: the value that steps 6 and 8 need of it.

What lives here: the caller's key as tables and evidence know it, and what is written with the records. What may not:
how a key is derived, and the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.change import Change


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect under one key of one party.

    Attributes:
        key: HMAC-SHA-256 of party and key, 32 bytes; evidence and tables have no other name of it.
        upstream: the key under which the other system is asked, a UUID; it tells nothing of the caller's.
        seed: 16 bytes of its own, for what is made here under this key and must be the same whenever it is repeated.
        outside: whether another system has the effect, so that an intent is recorded before it is asked (L4).
        begun: written with the intent, or with the record where there is none: the key stands for this message.
        settled: written with the record of the other system's answer: it tells of each time that the key was asked for.
        undone: written with the record of a refusal that had no effect: it tells of its own exchange, and no other.
    """

    key: bytes = field(repr=False)
    upstream: str
    seed: bytes = field(repr=False)
    outside: bool
    begun: Change
    settled: Change
    undone: Change


@dataclass(frozen=True, slots=True)
class States:
    """Digests of a record's state before and after an effect, in hex, under a key of whoever keeps it (P5)."""

    before: str
    after: str
