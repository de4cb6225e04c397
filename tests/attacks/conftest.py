from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.arena import Arena
from tests.attacks.besieged import Besieged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """The gateway and the sandbox registry as real processes, for the whole session of this worker."""
    arena = Arena(tmp_path_factory.mktemp("arena"))
    try:
        arena.start_sandbox()
        arena.start()
        yield arena
    finally:
        arena.close()


@pytest.fixture
def arena(standing: Arena) -> Arena:
    """The gateway to attack; its sandbox behaves."""
    standing.behave("normal")
    return standing


@pytest.fixture(scope="session")
def taken_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """A gateway whose registry is in an attacker's hands, for the whole session of this worker."""
    besieged = Besieged(tmp_path_factory.mktemp("besieged"))
    try:
        besieged.start()
        yield besieged
    finally:
        besieged.close()


@pytest.fixture
def besieged(taken_over: Besieged) -> Besieged:
    """The same, when it answers as it should."""
    taken_over.believes()
    return taken_over
