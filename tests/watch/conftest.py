from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.development import Development, Ports
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development set-up that no process runs."""
    folder = tmp_path_factory.mktemp("made")
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return folder
