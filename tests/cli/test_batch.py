"""`passerelle batch pause` and `status` over what the party keeps: nobody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.main import run
from tests.client.test_batch import Desk

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_pause_is_asked_of_whoever_works_at_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path)
    line = ["batch", "pause", str(desk.file)]
    assert run(line) == 0
    assert "rien à arrêter" in capsys.readouterr().out
    assert not desk.journal.pause_asked()
    with desk.journal.alone():
        assert run(line) == 0
        assert desk.journal.pause_asked()
    assert "ce qui est en cours se termine d'abord" in capsys.readouterr().out
    assert run(["batch", "status", str(desk.file)]) == 1
    assert "0 réponses gardées sur 120" in capsys.readouterr().out
