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
#: An RSA key signs either way: RSA-PSS by REST, PKCS #1 by SOAP (S5).
KEYS = {"rsa-sha256": "rsa-pss-sha512"}
#: A short life: no time for the second compiler, no threads that collect garbage.
JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

#: The ministry's agreements and purposes, under the names that the clients of the whole conversation give them.
TERMS = {
    f"{name}.{word}": text
    for name, agreement, purpose in (
        ("refused", "ESSAI-MIN", "autre"),
        ("nirec.verify", "ENT-2026-02", "admissibilite"),
        ("subject.expect", "ENT-2026-06", "admissibilite"),
        ("subject.birth", "ENT-2026-07", "admissibilite"),
        ("subject.merge", "ENT-2026-08", "admissibilite"),
        ("registration.get", "ENT-2026-10", "admissibilite"),
        ("registration.search", "ENT-2026-11", "admissibilite"),
        ("registration.create", "ENT-2026-12", "inscription"),
        ("registration.change", "ENT-2026-13", "inscription"),
        ("registration.withdraw", "ENT-2026-14", "inscription"),
        ("batch.open", "ENT-2026-18-OUVRIR", "admissibilite"),
        ("batch.verify", "ENT-2026-18", "admissibilite"),
        ("batch.answer", "ENT-2026-18-REPRENDRE", "admissibilite"),
        ("batch.get", "ENT-2026-18-SUIVRE", "admissibilite"),
        ("waitlist.counts", "ENT-2026-19", "planification"),
        # the cooperative's: a ministry is told so, once what it asks has been understood
        ("placement.notify", "ENT-2026-15", "placement"),
    )
    for word, text in (("agreement", agreement), ("purpose", purpose))
}
#: Each operation of the product, and where a client of the whole conversation reports it.
CALLED = {
    "echo": "echo",
    "nirec.verify": "verification",
    "exchange.acknowledge": "acknowledgement",
    "subject.expect": "expected",
    "subject.merge": "merged",
    "subject.birth": "born",
    "waitlist.statistics": "statistics",
    "waitlist.counts": "counted",
    "registration.get": "registered",
    "registration.search": "searched",
    "registration.create": "created",
    "registration.change": "changed",
    "registration.withdraw": "withdrawn",
    "batch.open": "batch",
    "batch.verify": "record",
    "batch.answer": "again",
    "batch.get": "progress",
    "placement.notify": "notified",
}
#: What a ministry, which these clients are, may never ask.
NOT_A_MINISTRY_S = {"family.view"}
#: What the clients ask of the waiting list: every region, one of them, and a day before anything was counted.
QUESTIONS = {
    "all": {"as_of": "2026-10-31"},
    "one": {"as_of": "2027-06-01", "region": "13"},
    "none": {"as_of": "2024-12-31"},
}


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


@pytest.fixture
def live(live: LiveGateway, cooperative: LiveGateway) -> LiveGateway:
    """The running gateway, with every registry that these clients ask."""
    return live


@pytest.fixture(scope="session")
def statistics(cooperative: LiveGateway) -> dict[str, Any]:
    """What the product's own client gets by REST for each question: numbers, lists, what is null and what is absent."""
    client = cooperative.client("ministry")
    found: dict[str, Any] = {}
    for name, question in QUESTIONS.items():
        answer = client.send(client.prepare("waitlist.statistics", dict(question), salted=False))
        found[name] = json.loads(answer.body)
    # enough of each for the comparison to mean something
    laval = found["one"]["regions"][0]
    assert [len(said["regions"]) for said in found.values()] == [3, 1, 0]
    assert [each["waiting"] for each in laval["definitions"]] == [9, 6, None, None]
    assert "places" not in laval
    assert found["none"]["average_wait_months"] is None
    return found


@pytest.fixture(scope="session")
def python_client() -> list[str]:
    return [sys.executable, str(HERE / "python" / "client.py")]


@pytest.fixture(scope="session")
def python_soap_client() -> list[str]:
    return [sys.executable, str(HERE / "python" / "soap_client.py")]


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients beside their packages, which npm puts into a folder outside the checkout."""
    npm = tool("npm", "npm")
    folder = tmp_path_factory.mktemp("node")
    for path in (HERE / "node").iterdir():
        shutil.copy2(path, folder / path.name)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline", "--silent"]
    run([npm, "install", *quiet], folder)
    return folder


@pytest.fixture(scope="session")
def node_client(node_folder: Path) -> list[str]:
    return [tool("node", "nodejs"), str(node_folder / "client.js")]


@pytest.fixture(scope="session")
def node_soap_client(node_folder: Path) -> list[str]:
    return [tool("node", "nodejs"), str(node_folder / "soap.js")]


@pytest.fixture(scope="session")
def java_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients, compiled by nothing but the JDK."""
    javac = tool("javac", "default-jdk-headless")
    folder = tmp_path_factory.mktemp("java")
    sources = sorted(str(path) for path in (HERE / "java").glob("*.java"))
    quick = [f"-J{option}" for option in JAVA]
    run([javac, *quick, "-encoding", "UTF-8", "-Xlint:all", "-Werror", "-d", str(folder), *sources], folder)
    return folder


@pytest.fixture(scope="session")
def java_client(java_folder: Path) -> list[str]:
    return [tool("java", "default-jdk-headless"), *JAVA, "-cp", str(java_folder), "Client"]


@pytest.fixture(scope="session")
def java_soap_client(java_folder: Path) -> list[str]:
    return [tool("java", "default-jdk-headless"), *JAVA, "-cp", str(java_folder), "SoapClient"]


@pytest.fixture
def folders(live: LiveGateway, tmp_path: Path) -> Mapping[str, Path]:
    """By algorithm, what the ministry's integrator holds: two keys, what they were given, and a settings file."""
    return {algorithm: make_folder(live, tmp_path / algorithm, algorithm) for algorithm in ALGORITHMS}


def make_folder(live: LiveGateway, folder: Path, algorithm: str, more: Mapping[str, str] | None = None) -> Path:
    """One of them, with settings beside those that a REST client reads."""
    folder.mkdir()
    party = live.party("ministry")
    for name in ("tls.pem", "tls.key", "gateway.pem", "gateway-root.pem", "log.vkey"):
        shutil.copy2(party / name, folder / name)
    issued = live.more.get(KEYS.get(algorithm, algorithm)) or live.signing("ministry")
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
        "waitlist.statistics.agreement": "ENT-2026-09",
        "waitlist.statistics.purpose": "planification",
        **{name: child[name] for name in ("nirec", "family_name", "given_names", "birth_date")},
        **(more or {}),
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / "client.properties").write_text(text, encoding="utf-8")
    return folder
