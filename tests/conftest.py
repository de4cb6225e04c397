from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.exchange.live import LiveGateway
from tests.measuring import measured_children
from tests.postgres.fixtures import any_url, postgresql, programs

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["any_url", "postgresql", "programs"]

#: How long examples take to make is the machine's matter, which other tests load.
settings.register_profile("loaded", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("loaded")

#: Not measured: these try thousands of cases, or break each operation on a file, one of which might be the tracer's.
_UNMEASURED = re.compile(
    r"/tests/((soak|foreign)/|(.+/)?test_(bytes|crash\w*|every_byte|mutations|properties_\w+)\.py)"
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what runs without coverage, in a second run of its own (Makefile)."""
    for item in items:
        if _UNMEASURED.search(item.path.as_posix()):
            item.add_marker("unmeasured")


@pytest.fixture(scope="session")
def running_gateway(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[LiveGateway]:
    """A gateway and its sandbox as real processes, for the whole session of this worker."""
    live = LiveGateway(tmp_path_factory.mktemp("live"))
    try:
        with measured_children(pytestconfig):
            live.start_sandbox()
            live.start()
        yield live
    finally:
        live.close()


@pytest.fixture(scope="session")
def cooperative(running_gateway: LiveGateway, pytestconfig: pytest.Config) -> Iterator[LiveGateway]:
    """The running gateway, with the cooperative's registry beside it from the first test that asks for it."""
    with measured_children(pytestconfig):
        running_gateway.start_cooperative()
    yield running_gateway
    assert running_gateway.stop("cooperative") == 0


@pytest.fixture
def live(running_gateway: LiveGateway) -> Iterator[LiveGateway]:
    """The running gateway, its sandbox normal before and after."""
    running_gateway.behave("normal")
    yield running_gateway
    running_gateway.behave("normal")
