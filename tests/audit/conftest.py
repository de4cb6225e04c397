from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """A gateway that exchanged, refused early and late, was replayed to, and stopped; its last worker is closed."""
    made = Gateway(tmp_path_factory.mktemp("gateway"))
    for _ in range(2):
        made.echo()
    made.refuse_early()
    made.echo(agreement="NONE")
    made.echo(purpose="autre")
    made.verify("1")
    made.verify("2")
    made.verify("9")
    made.verify("1")
    made.worker.close()
    made.sequence()
    made.sequence()
    return made


@pytest.fixture(scope="session")
def forger(gateway: Gateway) -> Forger:
    return Forger(gateway)


@pytest.fixture
def bench(forger: Forger, tmp_path: Path, trust: Path) -> Bench:
    return Bench(forger, tmp_path / "forged", trust)


@pytest.fixture
def log(gateway: Gateway, tmp_path: Path) -> Path:
    """A copy of the good log, for one test to spoil."""
    return _copied(gateway.settings.folders.log, tmp_path / "log")


@pytest.fixture
def trust(gateway: Gateway, tmp_path: Path) -> Path:
    """A copy of the auditor's anchors."""
    return _copied(gateway.folder / "trust", tmp_path / "trust")


def _copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target
