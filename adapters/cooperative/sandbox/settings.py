"""What the sandbox is told when it starts; it reads no configuration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sandboxing.identity import SigningSettings


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Who the cooperative's registry is, and what it holds.

    Attributes:
        database: its registrations, ``sqlite:///PATH`` or ``postgresql://...`` (storage.Registry).
        state_key: the key of the digests of registrations' states (P5), in hex; made where there is none.
    """

    signing: SigningSettings
    database: str
    state_key: Path
