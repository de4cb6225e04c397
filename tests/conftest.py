from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.exchange.live import LiveGateway
from tests.postgres.fixtures import any_url, postgresql, programs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


__all__ = ["any_url", "postgresql", "programs"]

#: How long examples take to make is the machine's matter, which other tests load.
settings.register_profile("loaded", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("loaded")

#: Not measured: others run the same lines, and tracing these more than doubles the time of the whole.
_UNMEASURED = re.compile(
    r"/tests/((faults|soak|foreign|docs)/"
    r"|scenarios/test_(founded|hsm|intruder|procedures|retention|rotation)\.py"
    r"|(.+/)?test_(bytes|crash|crash_two_sequencers|every_byte|lifecycle|mutations|process|properties_\w+)\.py)"
)
_TRACING = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what pytest-cov is to leave alone."""
    for item in items:
        if _UNMEASURED.search(item.path.as_posix()):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Nor are the processes that such a test starts."""
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    kept = {name: os.environ.pop(name) for name in _TRACING if name in os.environ}
    try:
        return (yield)
    finally:
        os.environ.update(kept)


@pytest.fixture(scope="session")
def running_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway and its sandbox as real processes, for the whole session of this worker."""
    live = LiveGateway(tmp_path_factory.mktemp("live"))
    try:
        live.start_sandbox()
        live.start()
        yield live
    finally:
        live.close()


@pytest.fixture
def live(running_gateway: LiveGateway) -> Iterator[LiveGateway]:
    """The running gateway, its sandbox normal before and after."""
    running_gateway.behave("normal")
    yield running_gateway
    running_gateway.behave("normal")
