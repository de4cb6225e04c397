"""Fixtures over both databases; tests/conftest.py gives them to every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.storage import migrate
from tests.postgres.cluster import Cluster, binaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING = "PostgreSQL is not here: apt install postgresql"


@pytest.fixture(scope="session")
def programs() -> Path:
    """Where PostgreSQL's programs are; skips where they are not."""
    found = binaries()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture(scope="session")
def postgresql(programs: Path) -> Iterator[Cluster]:
    """One server for all tests of this process that ask for it; it keeps nothing that a crash must not lose."""
    cluster = Cluster(programs)
    try:
        yield cluster.make()
    finally:
        cluster.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind, at the newest schema."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.sqlite'}"
        migrate(url)
        yield url
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    url = cluster.database()
    yield url
    cluster.give_back(url)
