"""The contracts that generation is tried on, and the table of errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.generate.error_table import read_errors
from contracts.loader import load_contracts
from tests.contracts.rich import rich

if TYPE_CHECKING:
    from contracts.generate.error_table import ErrorEntry
    from contracts.loader import Contract

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def offered() -> tuple[Contract, ...]:
    """Every contract of the repository."""
    return load_contracts(ROOT / "contracts")


@pytest.fixture(scope="package")
def contracts(offered: tuple[Contract, ...]) -> tuple[Contract, ...]:
    """Those, and one that has all that a message can be made of."""
    return (*offered, rich())


@pytest.fixture(scope="package")
def errors() -> tuple[ErrorEntry, ...]:
    """The table of errors with its meanings."""
    return read_errors((ROOT / "gateway" / "messages" / "errors.toml").read_bytes())
