"""The files that officers hand over, read within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.policy.acts import LARGEST_APPROVAL
from gateway.policy.bundle import LARGEST_POLICY
from gateway.policy.recovery import LARGEST_LOSS

if TYPE_CHECKING:
    from pathlib import Path


def policy_file(path: Path) -> bytes:
    """At most one byte more than a policy may have; raises ConfigurationError where there is nothing to read."""
    return _bounded(path, LARGEST_POLICY)


def approval_file(path: Path) -> bytes:
    """At most one byte more than an approval may have; raises ConfigurationError where there is nothing to read."""
    return _bounded(path, LARGEST_APPROVAL)


def loss_file(path: Path) -> bytes:
    """At most one byte more than a loss may have; raises ConfigurationError where there is nothing to read."""
    return _bounded(path, LARGEST_LOSS)


def _bounded(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
