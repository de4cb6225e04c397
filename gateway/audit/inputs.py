"""What a verdict rests on, file by file, so that another auditor can tell whether he had the same before him."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Input:
    """One of them: ``checkpoint``, ``since``, or ``trust/`` and its name; ``sha256`` in hex."""

    name: str
    sha256: str


def inputs_of(trust: Path, note: str, since: Path | None) -> tuple[Input, ...]:
    """The checkpoint that was audited, the one given with --since, each anchor; raises ConfigurationError."""
    found = [Input("checkpoint", sha256(note.encode()).hexdigest())] if note else []
    if since is not None:
        found.append(Input("since", _digest(since)))
    paths = sorted(path for path in trust.rglob("*") if path.is_file())
    return (*found, *(Input(f"trust/{path.relative_to(trust).as_posix()}", _digest(path)) for path in paths))


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
