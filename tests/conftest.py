from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.exchange.live import LiveGateway
from tests.postgres.fixtures import any_url, postgresql, programs

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["any_url", "postgresql", "programs"]


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
