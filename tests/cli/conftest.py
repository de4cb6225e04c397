"""The command line's tests speak French unless they say otherwise, whatever machine they run on."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _french(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LC_", "PASSERELLE_")) or name == "LANG":
            monkeypatch.delenv(name)
