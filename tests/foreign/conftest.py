"""What strangers are handed: a party's folder as docs/profile.md lists it, and the programs that they run with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.exchange.live import LiveGateway

    Command = Callable[[], list[str]]

HERE = Path(__file__).parent
ALGORITHMS = ("ecdsa-p256-sha256", "ed25519", "rsa-pss-sha512")


def tool(name: str, package: str) -> str:
    """A program's path, or the test is skipped with what to install; CI fails when anything was skipped."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not here: apt install {package}")
    return path


def run(command: Sequence[str], folder: Path, **environ: str) -> str:
    """What a program says on stdout; fails with what it says on stderr."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def python_client() -> list[str]:
    return [sys.executable, str(HERE / "python" / "client.py")]


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The client beside its package, which npm puts into a folder outside the checkout."""
    node, npm = tool("node", "nodejs"), tool("npm", "npm")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "client.js", "receipt.js"):
        shutil.copy2(HERE / "node" / name, folder / name)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline", "--silent"]
    run([npm, "install", *quiet], folder)
    return [node, str(folder / "client.js")]


@pytest.fixture(scope="session")
def java_client(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The client, compiled by nothing but the JDK."""
    java, javac = tool("java", "default-jdk-headless"), tool("javac", "default-jdk-headless")
    folder = tmp_path_factory.mktemp("java")
    sources = sorted(str(path) for path in (HERE / "java").glob("*.java"))
    run([javac, "-encoding", "UTF-8", "-Xlint:all", "-Werror", "-d", str(folder), *sources], folder)
    return [java, "-cp", str(folder), "Client"]


@pytest.fixture
def folders(live: LiveGateway, tmp_path: Path) -> Mapping[str, Path]:
    """By algorithm, what the ministry's integrator holds: two keys, what they were given, and a settings file."""
    return {algorithm: _folder(live, tmp_path / algorithm, algorithm) for algorithm in ALGORITHMS}


def _folder(live: LiveGateway, folder: Path, algorithm: str) -> Path:
    folder.mkdir()
    party = live.party("ministry")
    for name in ("tls.pem", "tls.key", "gateway.pem", "gateway-root.pem", "log.vkey"):
        shutil.copy2(party / name, folder / name)
    issued = live.more.get(algorithm) or live.signing("ministry")
    (folder / "signing.pem").write_bytes(issued.pem)
    (folder / "signing.key").write_bytes(issued.key_pem)
    child: dict[str, Any] = json.loads((party / "requests" / "confirmed.json").read_text(encoding="utf-8"))
    settings = {
        "origin": live.origin,
        "algorithm": algorithm,
        "echo.agreement": "ESSAI-MIN",
        "echo.purpose": "essai",
        "verify.agreement": "ENT-2026-02",
        "verify.purpose": "admissibilite",
        **{name: child[name] for name in ("nirec", "family_name", "given_names", "birth_date")},
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / "client.properties").write_text(text, encoding="utf-8")
    return folder
