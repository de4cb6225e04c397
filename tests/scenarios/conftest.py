"""The demo, run once as a stranger would, for all scenarios of a worker process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished demo."""

    folder: Path
    code: int
    text: str


def passerelle(*arguments: str, cwd: Path, lang: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
    """The command line as a child, in a language."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PASSERELLE_"))}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *arguments],
        cwd=cwd,
        env=environ | {"LANG": lang, "COLUMNS": "160"},
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("demo")
    done = passerelle("demo", cwd=home)
    return Ran(home / "var" / "demo", done.returncode, done.stdout + done.stderr)
