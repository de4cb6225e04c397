from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.night import Night
from tests.postgres.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IN_STEP = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


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


@pytest.fixture
def pair(programs: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """A server, and the standby that its commits wait for, in step."""
    primary = Cluster(programs, safe=True)
    standby: Cluster | None = None
    try:
        primary.make()
        standby = primary.standby("standby")
        primary.configure(synchronous_standby_names="'standby'")
        primary.reload()
        assert until(lambda: bool(primary.sql(_IN_STEP)), 30)
        yield primary, standby
    finally:
        primary.close()
        if standby is not None:
            standby.close()
