"""What comes to a sandbox and what goes out of it, whichever protocol it speaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it stands on the wire; ``digest`` is its Content-Digest, ``key`` its Idempotency-Key, or empty."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    digest: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer on its way; ``outcome`` is a word for the log line, without personal data."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    outcome: str
