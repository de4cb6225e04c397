"""`passerelle batch pause` and `status` over what the party keeps: nobody is asked."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli.batch import CONNECTIONS, DAY, PATTERN
from gateway.cli.batch_run import Wanted, _reasons
from gateway.cli.main import run
from gateway.cli.output import Exit, Output
from gateway.messages.catalogue import Catalogue
from tests.client.test_batch import Desk

if TYPE_CHECKING:
    from tests.cli.desk import Desk as CliDesk
    from tests.exchange.live import LiveGateway


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
    assert "0 réponse gardée sur 120" in capsys.readouterr().out


def test_why_it_waits_is_said_in_words() -> None:
    said = _reasons(Output(Catalogue("fr"), as_json=False))
    assert said("budget_spent") == "Le budget de divulgation de l'entente est épuisé"
    assert said("ConnectionRefusedError") == "la passerelle ne répond pas (ConnectionRefusedError)"


def test_there_is_no_batch_beside_a_file_that_is_not_there(desk: CliDesk, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--as", "ministry", "--dir", str(desk.folder)]
    assert run(["batch", "resume", str(desk.folder / "nope.csv"), *line]) == 2
    said = capsys.readouterr().err
    assert "aucun lot n'est ouvert à côté de ce fichier" in said
    assert "batch verify-nirec FICHIER --as PARTIE" in said


@pytest.mark.parametrize(
    ("name", "words"),
    [("nope.csv", "ne peut pas être lu (il n'existe pas)"), (".", "un fichier est attendu ici, pas un dossier")],
)
def test_a_batch_of_what_is_no_file(desk: CliDesk, name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["batch", "verify-nirec", str(desk.folder / name), "--as", "ministry", "--dir", str(desk.folder)]
    assert run(line) == 2
    assert words in capsys.readouterr().err


def test_another_partys_batch_is_refused_in_the_readers_words(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = json.loads((live.party("ministry") / "requests" / "confirmed.json").read_text(encoding="utf-8"))
    file = tmp_path / "un seul.csv"
    row = ",".join(child[name] for name in ("nirec", "family_name", "given_names", "birth_date"))
    file.write_text(f"nirec,family_name,given_names,birth_date\n{row}\n", encoding="utf-8")
    where = ["--dir", str(live.folder)]
    assert run(["batch", "verify-nirec", str(file), "--as", "ministry", *where]) == 0
    assert "1 enregistrement à vérifier" in capsys.readouterr().out
    told = {
        "fr": ("Refusé: Ce lot n'est pas connu", "À faire: Vérifiez le numéro"),
        "en": ("Refused: This batch is not known", "What to do: Check the batch's id"),
    }
    for language, words in told.items():
        assert run(["--lang", language, "batch", "report", str(file), "--as", "cooperative", *where]) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("folder", "pattern", "connections", "per_second", "patience"),
    [(None, PATTERN, CONNECTIONS, None, DAY), (Path("un dossier"), "[0-9]{9}", 2, 5, 30.0)],
    ids=["as_it_is", "all_told"],
)
def test_the_command_that_takes_it_up_again_runs_as_it_is(
    folder: Path | None, pattern: str, connections: int, per_second: int | None, patience: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    wanted = Wanted(Path("mes enfants.csv"), "ministry", folder, pattern, connections, per_second, patience)
    run_with: list[Wanted] = []

    def taken_up(_: Output, again: Wanted) -> Exit:
        run_with.append(again)
        return Exit.HOLDS

    monkeypatch.setattr("gateway.cli.batch_run.resume", taken_up)
    program, *line = shlex.split(wanted.again())
    assert (program, run(line)) == ("passerelle", 0)
    assert run_with == [wanted]
