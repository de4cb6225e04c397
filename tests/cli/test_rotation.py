"""`passerelle keys rotate nirec`: what it says, what a pause leaves, and a key that is not the one that it was (N2)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.cli.main import run
from gateway.development import Development, Ports
from gateway.keys.names import nirec_key
from gateway.keys.stores import Keys
from gateway.model import Nirec
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseRotation
from gateway.settings import KeystoreSettings
from gateway.system import SystemClock, SystemRandomness
from tests.keys.softhsm import make_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHILDREN = [f"{number:013}" for number in range(700)]


class Place:
    """A set-up with 700 children, whose command line is called."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], keystore: KeystoreSettings | None = None
    ) -> None:
        self.folder = folder
        clock, randomness = SystemClock(), SystemRandomness()
        Development(folder, Ports(), clock, randomness, keystore).create(births=300, registrations=0)
        self._capsys = capsys
        self.keys = folder / "gateway" / "keys"
        self._stored = Keys(self.keys, keystore or KeystoreSettings(), clock, randomness)
        rows = [(number.to_bytes(16), values[0]) for number, values in enumerate(self.values(0))]
        with closing(self.database()) as connection, connection:
            connection.executemany("INSERT INTO subjects VALUES (?, '2026-11')", [row[:1] for row in rows])
            connection.executemany("INSERT INTO pseudonyms VALUES (?, 0, ?)", [row[::-1] for row in rows])

    def values(self, newest: int) -> list[tuple[bytes, ...]]:
        """Each child's chain of pseudonyms."""
        keystore = self._stored.open(later=[nirec_key("")])
        try:
            chain = PseudonymChain(keystore, nirec_key)
            return [chain.values(Nirec(nirec), newest) for nirec in CHILDREN]
        finally:
            keystore.close()

    def subjects(self, newest: int) -> list[bytes]:
        """The subject that each child is found as under this generation, and under no other."""
        with closing(self.database()) as connection:
            rows = dict(connection.execute("SELECT pseudonym, subject FROM pseudonyms").fetchall())
        assert len(rows) == len(CHILDREN)
        return [rows[values[newest]] for values in self.values(newest)]

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "gateway" / "db" / "passerelle.sqlite")

    def rotate(self, *more: str, lang: str = "fr") -> tuple[int, str, str]:
        arguments = ["--lang", lang, "keys", "rotate", "nirec", *more]
        code = run([*arguments, "--config", str(self.folder / "passerelle.toml")])
        said = self._capsys.readouterr()
        return code, said.out, said.err.replace("\u202f", " ")

    def generations(self) -> set[int]:
        with closing(self.database()) as connection:
            return {row[0] for row in connection.execute("SELECT generation FROM pseudonyms")}


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path / "place", capsys)


@pytest.mark.parametrize(("lang", "says"), [("fr", "Gardez toutes les clés"), ("en", "Keep every nirec-N key")])
def test_it_says_what_was_done_and_what_it_does_not_protect(place: Place, lang: str, says: str) -> None:
    code, out, _ = place.rotate(lang=lang)
    assert code == 0
    assert "700" in out
    assert "nirec-1" in out
    assert says in out
    assert place.generations() == {1}
    assert ((place.keys / "nirec-1.mac").stat().st_mode & 0o777) == 0o600


def test_a_second_one_leads_to_the_next_generation(place: Place) -> None:
    for generation in (1, 2):
        code, out, _ = place.rotate("--json")
        assert (code, json.loads(out)) == (0, {"complete": True, "generation": generation, "total": 700})
    assert place.subjects(2) == [number.to_bytes(16) for number in range(len(CHILDREN))]


def test_inside_a_token_the_new_key_is_made_there_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "token" / "softhsm2.conf"))
    place = Place(tmp_path / "place", capsys, make_token(tmp_path / "token").settings())
    code, _, err = place.rotate()
    assert (code, place.generations()) == (0, {1}), err
    assert place.subjects(1) == [number.to_bytes(16) for number in range(len(CHILDREN))]
    assert list(place.keys.glob("nirec-*")) == []


def test_ctrl_c_pauses_it_and_the_same_command_resumes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DatabaseRotation.rewrite

    def interrupted(self: DatabaseRotation, generation: int, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        whole(self, generation, pairs)
        raise KeyboardInterrupt

    monkeypatch.setattr(DatabaseRotation, "rewrite", interrupted)
    code, out, err = place.rotate("--json")
    assert (code, json.loads(out)) == (3, {"complete": False, "done": 0, "total": 700})
    assert "la même commande reprend" in err
    assert place.generations() == {0, 1}
    monkeypatch.setattr(DatabaseRotation, "rewrite", whole)
    code, _, err = place.rotate()
    assert code == 0
    assert "Une rotation était commencée: 250 pseudonymes de 700" in err
    assert place.generations() == {1}


def test_its_progress_is_shown_past_two_seconds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.rotation._FIRST_SECONDS", 0.0)
    monkeypatch.setattr("gateway.cli.rotation._EACH_SECONDS", 0.0)
    _, _, err = place.rotate(lang="en")
    assert "Pseudonyms rewritten: 250 of 700; about" in err


def test_a_key_that_is_not_the_one_that_it_was_changes_nothing(place: Place) -> None:
    place.rotate()
    other = place.keys / "nirec-1.mac"
    other.write_text("00" * 32)
    code, _, err = place.rotate()
    assert code == 2
    assert "nirec-1" in err
    assert "rien n'a été changé" in err
    assert place.generations() == {1}
    assert not (place.keys / "nirec-2.mac").exists()


def test_the_gateway_does_not_start_with_another_key(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rotate()
    (place.keys / "nirec-1.mac").write_text("00" * 32)
    code = run(["--lang", "fr", "serve", "--config", str(place.folder / "passerelle.toml")])
    assert code == 2
    assert "nirec-1" in capsys.readouterr().err
