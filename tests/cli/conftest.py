"""The command line's tests speak French unless they say otherwise, whatever machine they run on."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from gateway.development import Development, Ports
from gateway.system import SystemClock, SystemRandomness
from tests.cli.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _french(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LC_", "PASSERELLE_")) or name == "LANG":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("policy") / "dev"
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return folder


@pytest.fixture
def desk(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A set-up of a test's own, its first policy in force."""
    folder = tmp_path / "dev"
    shutil.copytree(template, folder)
    return Desk(folder, capsys)
