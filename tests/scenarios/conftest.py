"""The demo, run once as a stranger would, for all scenarios: the first worker process that needs it runs it for all."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.measuring import measured_children

if TYPE_CHECKING:
    from collections.abc import Callable
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
        timeout=300,
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Ran:
    """Not to be changed: other tests read it at the same time."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def run() -> tuple[int, str]:
        with measured_children(request.config):
            done = passerelle("demo", "--registrations", "600", cwd=shared)
        return done.returncode, done.stdout + done.stderr

    code, text = _once(shared / "demo.json", run)
    return Ran(shared / "var" / "demo", code, text)


def _once(kept: Path, run: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """What ``run`` gave in whichever process came first; the others wait for it."""
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(run()), encoding="utf-8")
        code, text = json.loads(kept.read_text(encoding="utf-8"))
    return code, text
