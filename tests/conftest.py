from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.exchange.live import LiveGateway
from tests.postgres.fixtures import any_url, postgresql, programs

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["any_url", "postgresql", "programs"]

#: How long examples take to make is the machine's matter, which other tests load.
settings.register_profile("loaded", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("loaded")

#: Not measured: others run most of the same lines, and tracing these more than doubles the time of the whole.
_UNMEASURED = re.compile(
    r"/tests/((soak|foreign|docs|ledger|postgres|faults)/"
    r"|(.+/)?test_(bytes|crash|crash_two_sequencers|every_byte|mutations|properties_\w+)\.py"
    r"|scenarios/test_(procedures|rotation)\.py)"
)


def pytest_configure(config: pytest.Config) -> None:
    """Measures the processes that tests start, where the tests themselves are measured."""
    starts_testers = bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")
    if getattr(config.option, "cov_source", None) and not starts_testers:
        os.environ["COVERAGE_PROCESS_START"] = str(Path(__file__).with_name("children.coveragerc"))
        os.environ["COVERAGE_FILE"] = str(config.rootpath / ".coverage")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what runs without coverage, in a second run of its own (Makefile)."""
    for item in items:
        if _UNMEASURED.search(item.path.as_posix()):
            item.add_marker("unmeasured")


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


@pytest.fixture(scope="session")
def cooperative(running_gateway: LiveGateway) -> Iterator[LiveGateway]:
    """The running gateway, with the cooperative's registry beside it from the first test that asks for it."""
    running_gateway.start_cooperative()
    yield running_gateway
    assert running_gateway.stop("cooperative") == 0


@pytest.fixture
def live(running_gateway: LiveGateway) -> Iterator[LiveGateway]:
    """The running gateway, its sandbox normal before and after."""
    running_gateway.behave("normal")
    yield running_gateway
    running_gateway.behave("normal")
