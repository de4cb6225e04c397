from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.night import Night

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared_night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A gateway of the module's own, started, with the module's SETTINGS; at its end nothing of a person was told."""
    made = Night(tmp_path_factory.mktemp("night"), **getattr(request.module, "SETTINGS", {}))
    try:
        made.start()
        yield made
    finally:
        made.close()
    made.nothing_told()
    made.audited()


@pytest.fixture
def night(shared_night: Night) -> Night:
    """The same, well again after what the test before did to it."""
    shared_night.recovered()
    return shared_night
