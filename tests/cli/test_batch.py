"""`passerelle batch pause` and `status` over what the party keeps: nobody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.batch_run import _reasons
from gateway.cli.main import run
from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue
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


def test_why_it_waits_is_said_in_words() -> None:
    said = _reasons(Output(Catalogue("fr"), as_json=False))
    assert said("budget_spent") == "Le budget de divulgation de l'entente est épuisé"
    assert said("ConnectionRefusedError") == "la passerelle ne répond pas (ConnectionRefusedError)"
