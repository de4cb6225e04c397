"""The command line as scripts and people meet it: words in two languages, exit codes that can be trusted."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.cli.configuration import setting_names
from gateway.cli.main import run
from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue, choose_language, texts


@pytest.fixture
def made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "set-up"
    assert run(["init", str(folder), "--dev"]) == 0
    capsys.readouterr()
    return folder


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        ([], {}, "fr"),
        ([], {"LANG": "C.UTF-8"}, "fr"),
        ([], {"LANG": "en_CA.UTF-8"}, "en"),
        ([], {"LC_ALL": "fr_CA.UTF-8", "LANG": "en_CA.UTF-8"}, "fr"),
        (["--lang", "en"], {"LANG": "fr_CA"}, "en"),
        (["--lang=fr", "version"], {"LANG": "en_CA"}, "fr"),
    ],
)
def test_french_unless_english_is_asked_for(arguments: list[str], environ: dict[str, str], language: str) -> None:
    assert choose_language(arguments, environ) == language


def test_help_teaches_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "fr", "--help"]) == 0
    french = capsys.readouterr().out
    assert run(["--lang", "en", "--help"]) == 0
    english = capsys.readouterr().out
    assert "aucun identifiant à voler" in french.replace("\n  ", " ")
    assert "no identifier to" in english


@pytest.mark.parametrize("line", ["nonsense", "audit verify", "call echo", "serve --role king"])
def test_wrong_usage_exits_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    assert "--help" in capsys.readouterr().err


def test_version_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": "0.1.0"}


def test_init_overwrites_nothing(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made / "gateway" / "keys" / "signing.key").read_bytes()
    assert run(["init", str(made), "--dev"]) == 2
    assert (made / "gateway" / "keys" / "signing.key").read_bytes() == before
    assert str(made) in capsys.readouterr().err


def test_init_makes_private_keys_for_their_owner_only(made: Path) -> None:
    private = [*made.rglob("*.key"), *made.rglob("*.mac")]
    assert len(private) > 20
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_init_warns_of_the_single_officer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "en", "init", str(tmp_path / "x"), "--dev"]) == 0
    assert "Never in production" in capsys.readouterr().out


def test_config_check_and_show(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(made / "passerelle.toml")
    assert run(["--lang", "en", "config", "check", "--config", config]) == 0
    assert "5 parties" in capsys.readouterr().out
    assert run(["config", "show", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["listen"]["workers"] == 2


@pytest.mark.parametrize(
    ("reason", "language", "advice"),
    [
        (" ", "fr", "dites en une ligne pourquoi"),
        ("x" * 201, "fr", "201 caractères: abrégez-la, 200 au plus"),
        ("deux\nlignes", "en", "type it again"),
        ("le 0000 0000 00000", "fr", "désignez l'enfant ou l'avis autrement"),
    ],
    ids=["blank", "long", "two_lines", "nirec"],
)
def test_a_reason_that_is_none_is_wrong_usage_and_says_what_to_write(
    made: Path, capsys: pytest.CaptureFixture[str], reason: str, language: str, advice: str
) -> None:
    which: list[list[str]] = [[str(uuid4())], ["--party", "ministry", "--dead"]]
    for one in which:
        line = ["--lang", language, "outbox", "drop", *one, "--reason", reason]
        assert run([*line, "--config", str(made / "passerelle.toml")]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert advice in said
        assert reason.strip() == "" or reason not in said


@pytest.mark.parametrize(
    "line",
    [["list"], ["drop", "--dead", "--reason", "place annulée"], ["resend", "--dead", "--reason", "rétabli"]],
    ids=["list", "drop", "resend"],
)
def test_letters_of_a_party_that_nobody_knows(made: Path, capsys: pytest.CaptureFixture[str], line: list[str]) -> None:
    config = ["--config", str(made / "passerelle.toml")]
    assert run(["outbox", *line, "--party", "nobody", *config]) == 2
    assert "--party nobody" in capsys.readouterr().err
    assert run(["outbox", *line, "--party", "ministry", *config]) == 0


def test_a_time_in_json_is_one_that_programs_read(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 23, 7, 30, tzinfo=timezone(timedelta(hours=-5)))
    Output(Catalogue("fr"), as_json=True).result({"accepted": at, "kept": Path("un dossier")})
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"accepted": "2026-11-23T12:30:00.000000Z", "kept": "un dossier"}


def test_every_setting_is_explained_in_both_languages(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", str(made / "passerelle.toml")]) == 0
    shown = capsys.readouterr().out
    for name in setting_names():
        # a section of which there may be several stands under each one's name
        assert f"{name.replace('upstreams.', 'upstreams.cooperative.')} = " in shown, name
        assert set(texts()[f"setting.{name}"]) == {"fr", "en"}


def test_an_unknown_setting_is_an_error(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = made / "passerelle.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("port =", "prot =", 1), encoding="utf-8")
    assert run(["config", "check", "--config", str(config)]) == 2
    assert "listen.prot" in capsys.readouterr().err


def test_the_environment_overrides_a_setting(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASSERELLE_LISTEN__WORKERS", "5")
    assert run(["config", "show", "--config", str(made / "passerelle.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["listen"]["workers"] == 5


def test_the_environment_reaches_the_section_of_one_party(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = made / "passerelle.toml"
    with config.open("a", encoding="utf-8") as file:
        file.write('[upstreams.family-benefits]\nurl = "https://localhost:1"\n')
    monkeypatch.setenv("PASSERELLE_UPSTREAMS__MINISTRY__ATTEMPTS", "1")
    monkeypatch.setenv("PASSERELLE_UPSTREAMS__FAMILY_BENEFITS__DEADLINE_SECONDS", "0.5")
    assert run(["config", "show", "--config", str(config), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["upstreams"]
    assert {name: (one["attempts"], one["deadline_seconds"]) for name, one in shown.items()} == {
        "cooperative": (3, 5.0), "ministry": (1, 5.0), "benefits": (3, 5.0), "family-benefits": (3, 0.5),
    }  # fmt: skip


@pytest.mark.parametrize("rest", ["", "__ATTEMPTS", "__MINISTRY", "__MINSTRY__ATTEMPTS", "__MINISTRY__TRIES__ATTEMPTS"])
def test_a_variable_makes_no_party_s_section(
    rest: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"PASSERELLE_UPSTREAMS{rest}", "1")
    assert run(["--lang", "en", "config", "show", "--config", str(made / "passerelle.toml")]) == 2
    said = capsys.readouterr().err
    assert f"PASSERELLE_UPSTREAMS{rest} names no section" in said
    assert "benefits, cooperative, ministry" in said


@pytest.mark.parametrize(
    "name", ["PASSERELLE_LISTEN__WORKER", "PASSERELLE_NONSENSE", "PASSERELLE_UPSTREAMS__MINISTRY__X"]
)
def test_an_unknown_variable_is_an_error(
    name: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "5")
    assert run(["config", "show", "--config", str(made / "passerelle.toml")]) == 2
    assert name.split("_", 1)[1].rsplit("__", maxsplit=1)[-1].lower() in capsys.readouterr().err


def test_what_is_not_there_is_refused_and_not_called_unproven(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = "2e73b17f-afe9-4d70-b5bd-98dcfc5c5ca1"
    assert run(["outbox", "show", number, "--config", str(made / "passerelle.toml")]) == 1
    assert capsys.readouterr().err.startswith(f"Refusé: aucun avis {number}")


def test_keys_that_others_can_read_are_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = made / "gateway" / "keys" / "nirec-0.mac"
    os.chmod(key, 0o644)  # noqa: PTH101  as an operator's chmod would
    assert run(["config", "check", "--config", str(made / "passerelle.toml")]) == 2
    assert "chmod 600" in capsys.readouterr().err


def test_a_broken_policy_is_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = made / "gateway" / "policy.yaml"
    policy.write_text(
        policy.read_text(encoding="utf-8").replace("party: ministry", "party: nobody", 1), encoding="utf-8"
    )
    assert run(["config", "check", "--config", str(made / "passerelle.toml")]) == 2
    assert "nobody" in capsys.readouterr().err


def test_call_with_a_gateway_that_is_not_there_exits_3(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = made / "sandbox" / "parties" / "cooperative" / "requests" / "echo.json"
    party = made / "sandbox" / "parties" / "cooperative" / "party.toml"
    party.write_text(party.read_text(encoding="utf-8").replace(":8443", ":1"), encoding="utf-8")
    assert run(["call", "echo", "--dir", str(made), "--as", "cooperative", "--data", str(data)]) == 3
    assert "hors de la passerelle" in capsys.readouterr().err


def test_call_of_an_unknown_operation_names_those_there_are(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "nonsense", "--dir", str(made), "--as", "cooperative", "--data", "-"]) == 2
    assert "nirec.verify" in capsys.readouterr().err


def test_every_text_is_in_both_languages() -> None:
    for key, row in texts().items():
        assert set(row) == {"fr", "en"}, key
        assert all(row.values()), key


@pytest.mark.parametrize("name", ["log.key", "tls-server.key", "tls-client.key"])
def test_config_check_misses_a_key_that_others_can_read(
    name: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "gateway" / "keys" / name).chmod(0o644)
    assert run(["config", "check", "--config", str(made / "passerelle.toml")]) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "instead", "code"),
    [
        (r"- outcome", "- otcome", 2),
        (r"\n +- outcome", "", 2),
        (r"operation: echo", "operation: ecco", 2),
        (r"\n +- handle", "", 0),
    ],
    ids=["misspelt_field", "required_field_left_out", "unknown_operation", "fine_without_the_handle"],
)
def test_an_agreement_that_could_never_be_answered_is_an_error_at_start(
    written: str, instead: str, code: int, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = made / "gateway" / "policy.yaml"
    text, changed = re.subn(written, instead, policy.read_text(encoding="utf-8"), count=1)
    assert changed
    policy.write_text(text, encoding="utf-8")
    assert run(["config", "check", "--config", str(made / "passerelle.toml")]) == code
    assert ("agreements." in capsys.readouterr().err) == bool(code)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"message":"\\ud800"}', "[]", "not json"])
def test_data_that_is_no_object_is_wrong_usage(content: str, made: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(content, encoding="utf-8")
    assert run(["call", "echo", "--dir", str(made), "--as", "cooperative", "--data", str(data)]) == 2


def test_errors_are_json_too_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "--config", "nowhere", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


def test_a_language_that_we_do_not_speak_is_wrong_usage() -> None:
    assert run(["--lang", "xx", "version"]) == 2
