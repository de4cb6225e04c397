"""The witness as a real process: made, asked, killed, asked again."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from gateway.cli.main import run
from gateway.ledger.cosignature import WitnessKey, read_cosignatures, verify_cosignature
from gateway.ledger.note import verify_note
from gateway.ledger.post import HttpPost, Posted, PostError
from tests.adapters.fakes import free_port, until

from .made import MemoryLog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_PATIENT = 40.0


def made(tmp_path: Path, log: MemoryLog, port: int) -> Path:
    (tmp_path / "log.vkey").write_text(f"{log.key.vkey}\n")
    folder = tmp_path / "witness"
    arguments = ["--name", "witness.test/1", "--log", str(tmp_path / "log.vkey"), "--port", str(port)]
    assert run(["--lang", "en", "witness", "init", str(folder), *arguments]) == 0
    return folder


def started(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gateway.cli.main", "witness", "run", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def asked(port: int, body: bytes) -> Posted:
    """Its answer, once it answers."""
    found: list[Posted] = []

    def answers() -> bool:
        try:
            found.append(HttpPost()(f"http://127.0.0.1:{port}/add-checkpoint", body, "text/plain", 20))
        except PostError:
            return False
        return True

    assert until(answers, _PATIENT)
    return found[0]


def test_a_witness_that_is_killed_forgets_nothing(tmp_path: Path) -> None:
    log, port = MemoryLog().grow(30), free_port()
    folder = made(tmp_path, log, port)
    key = WitnessKey.parse((folder / "witness.vkey").read_text())
    process = started(folder)
    try:
        (line,) = read_cosignatures(asked(port, log.request(0, 10)).body)
        assert verify_cosignature(verify_note(log.note(10), log.key), line, key)
        process.kill()
        process.wait(_PATIENT)
        process = started(folder)
        assert asked(port, log.branch(5).grow(15, b"other").request(0)).body == b"10\n"
        assert asked(port, log.branch(5).grow(15, b"other").request(10)).status == 422
        assert asked(port, log.request(10, 30)).status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENT) == 0
    finally:
        process.kill()
        process.wait(_PATIENT)


def test_a_witness_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = MemoryLog()
    folder = made(tmp_path, log, 8447)
    key = (folder / "witness.key").read_bytes()
    assert (folder / "witness.key").stat().st_mode & 0o077 == 0
    again = ["witness", "init", str(folder), "--name", "other.test/1", "--log", str(tmp_path / "log.vkey")]
    assert run(["--lang", "en", *again]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (folder / "witness.key").read_bytes() == key


def test_settings_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path, MemoryLog(), 8447)
    path = folder / "witness.toml"
    good = path.read_text()
    for old, new, said in (
        ('host = "127.0.0.1"', 'host = "0.0.0.0"', "certificate"),
        ("port = 8447", "port = 99999", "port"),
        ('name = "witness.test/1"', 'name = "a b"', "name"),
        ("logs = [", 'logs = ["junk",', "logs"),
        ("port = 8447", "colour = 1", "colour"),
        ("port = 8447", "port", "TOML"),
    ):
        assert old in good
        path.write_text(good.replace(old, new))
        assert run(["--lang", "en", "witness", "run", str(folder)]) == 2
        shown = capsys.readouterr().err
        assert "witness.toml" in shown, shown
        assert said in shown or said == "TOML", shown
    path.write_text(good)
    (folder / "witness.key").chmod(0o644)
    assert run(["--lang", "en", "witness", "run", str(folder)]) == 2
    assert "witness.key" in capsys.readouterr().err
