"""What typer and the system say on our command line, in our words and with our exit codes."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from gateway.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

_ENGLISH = re.compile(
    r"Show this|Commands:|\[required\]|\[default|COMMAND |<str>|float range|No such|Missing|Invalid|Input|Choose"
)


@pytest.mark.parametrize(
    "line", ["--help", "call --help", "audit --help", "audit verify --help", "status -h", "config", "demo --help"]
)
def test_the_frame_of_help_is_french_in_french(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["--lang", "fr", *line.split()])
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert "Montrer cette aide." in shown
    assert _ENGLISH.findall(shown) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "La commande 'nonsense' n'existe pas."),
        ("version --nope", "L'option --nope n'existe pas."),
        ("call echo", "Il manque l'option '--as'."),
        ("audit verify", "Il manque l'argument 'LOG'."),
        ("version one", "Argument en trop: one"),
        (
            "serve --role king",
            (
                "Valeur refusée pour '--role': 'king' n'est pas l'une de "
                "'all', 'workers', 'sequencer', 'refresher', 'dispatcher', 'keystore'."
            ),
        ),
        ("log loss propose --out x", "Il manque l'option '--reason'. Au choix: database-lost"),
        ("audit verify log --trust x --jobs many", "Valeur refusée pour '--jobs': un nombre entier est demandé"),
        ("audit verify log --trust x --jobs 0", "Valeur refusée pour '--jobs': au moins 1"),
        ("audit verify log --trust x --jobs 9999", "Valeur refusée pour '--jobs': au plus 1024"),
        ("status --config", "L'option '--config' demande une valeur."),
    ],
)
def test_wrong_usage_is_said_in_french(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "fr", *line.split()]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert said in shown
    assert _ENGLISH.findall(shown) == []


def test_english_is_english(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "en", "call", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Show this message and exit." in shown
    assert "[required]" in shown
    assert run(["--lang", "en", "nonsense"]) == 2
    assert "No such command 'nonsense'." in capsys.readouterr().err


@pytest.mark.parametrize("command", ["init {file} --dev", "demo --dir {file}"])
def test_a_file_where_a_folder_is_needed_is_wrong_usage(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert run(command.format(file=file).split()) == 2
    assert "un dossier est attendu" in capsys.readouterr().err


def test_a_damaged_database_is_a_failure_outside_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    for path in (tmp_path / "x" / "gateway" / "db").glob("passerelle.sqlite*"):
        path.write_bytes(b"no database " * 1000)
    assert run(["--lang", "en", "serve", "--config", str(tmp_path / "x" / "passerelle.toml"), "--role", "workers"]) == 3
    shown = capsys.readouterr().err
    assert "the database cannot be used: file is not a database" in shown
    assert "runbook.en.md#database_unreachable" in shown


@pytest.mark.parametrize("setting", ["PORT", "CONTROL_PORT"])
def test_a_sandbox_whose_port_is_taken_names_it(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv(f"PASSERELLE_SANDBOX_CIVIL_REGISTRY__{setting}", str(port))
        assert run(["sandbox", "civil-registry", "--config", str(tmp_path / "x" / "passerelle.toml")]) == 3
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("nowhere.json", "nowhere.json ne peut pas être lu (il n'existe pas)"),
        (".", ". ne peut pas être lu (c'est un dossier)"),
    ],
)
def test_what_the_system_says_is_said_in_french(
    data: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    assert run(["call", "echo", "--dir", str(tmp_path / "x"), "--as", "ministry", "--data", data]) == 2
    assert said in capsys.readouterr().err
