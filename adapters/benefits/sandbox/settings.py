"""What the sandbox is told when it starts; it reads no configuration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sandboxing.server import Listening

PATH = "/services/ReceptionAvis"


@dataclass(frozen=True, slots=True)
class BenefitsSettings:
    """Where it listens and what it holds. It signs nothing: mutual TLS vouches for it, and for its callers.

    Attributes:
        documents: the folder with its WSDL and XSD.
        database: its notices, ``sqlite:///PATH``.
        kept: the folder for the messages that come and go; None for keeping none.
    """

    listening: Listening
    documents: Path
    database: str
    kept: Path | None = None
