"""`passerelle status`: of a gateway that runs, that ails, and that is not there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from gateway.cli.main import run
from gateway.cli.status_view import StatusView, bar, sparkline
from gateway.http.health import HealthListener
from gateway.messages.catalogue import Catalogue
from gateway.watch.alarms import ALARMS
from gateway.watch.facts import Alive, EffectsFacts, Facts, UpstreamFacts, to_json
from gateway.watch.snapshots import FOLDER
from tests.adapters.fakes import until
from tests.exchange.live import ROOT, LiveGateway, descendants
from tests.watch.made import WELL, but
from tests.watch.test_alarms import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.http.health import Page
    from gateway.messages.table import Language


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    made = LiveGateway(tmp_path_factory.mktemp("live"))
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


def told(gateway: LiveGateway, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = run(["status", "--config", str(gateway.folder / "passerelle.toml"), "--json"])
    return code, json.loads(capsys.readouterr().out)


def snapshots_of(gateway: LiveGateway) -> Path:
    """The folder into which a gateway's children write, from the environment that they were given."""
    child = descendants(gateway.processes["gateway"].pid)[0]
    given = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    return Path(next(item for item in given if item.startswith(FOLDER.encode())).decode().partition("=")[2])


def metrics(gateway: LiveGateway) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.ports.health}/metrics", timeout=30) as answer:
        return str(answer.read(), "utf-8")


def screen(facts: Facts, language: Language, width: int = 100) -> str:
    console = Console(width=width, file=StringIO(), force_terminal=False)
    console.print(StatusView(Catalogue(language), facts, lambda name, lang: f"{lang}#{name}").shown(width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("there", "shown"), [(1, "1 / 2"), (None, "nombre inconnu (pg_monitor) / 2")])
def test_standbys_are_shown_where_commits_wait_for_them(there: int | None, shown: str) -> None:
    found = screen(but(ledger=replace(WELL.ledger, standbys_needed=2, standbys=there)), "fr")
    assert any("secours synchrones" in line and shown in line for line in found.splitlines())
    assert "secours synchrones" not in screen(WELL, "fr")


# a gateway that runs ------------------------------------------------------------------------------------------------


def test_effects_that_nobody_knows_are_shown_by_party() -> None:
    found = screen(but(effects=(EffectsFacts("cooperative", 2, 700.0),)), "fr").splitlines()
    assert any(line.split() == ["cooperative", "2", "700", "s"] for line in found)
    assert "Effets d'issue inconnue" not in screen(WELL, "fr")


def test_a_running_gateway_tells_what_both_workers_did(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(6):
        assert live.verified(live.draft().signed()).status == 200
    assert live.verified(live.verification().signed()).status == 200
    replayed = live.draft().signed()
    live.exchange(replayed)
    assert live.exchange(replayed).json()["code"] == "replayed"

    # each worker tells once a second
    assert until(lambda: told(live, capsys)[1]["exchanges"] == {"answered": 8, "refused": 1}, 5)
    code, facts = told(live, capsys)
    assert (code, facts["holds"], facts["running"]) == (0, True, True)
    assert {role["name"] for role in facts["roles"] if role["alive"]} == {
        "sequencer",
        "workers",
        "refresher",
        "dispatcher",
    }
    assert len(facts["workers"]) == 2
    assert sum(worker["exchanges"] for worker in facts["workers"]) == 9
    assert facts["refusals"] == {"replayed": 1}
    assert facts["upstreams"][0]["outcomes"] == {"answered": 1}
    assert facts["ledger"]["published"] >= 9

    text = metrics(live)
    assert 'passerelle_refusals_total{code="replayed",party="ministry"} 1.0' in text
    assert 'passerelle_upstream_calls_total{outcome="answered",upstream="civil-registry"} 1.0' in text
    assert "passerelle_workers 2.0" in text


def test_a_breaker_that_opens_is_an_alarm(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    live.behave("down")
    try:
        for _ in range(4):
            assert live.exchange(live.verification().signed()).status == 503
        assert until(lambda: told(live, capsys)[0] == 1, 5)
        _, facts = told(live, capsys)
        assert [(item["name"], item["subject"]) for item in facts["alarms"]] == [("upstream_down", "civil-registry")]
        assert facts["alarms"][0]["page"] == "docs/runbook.fr.md#upstream_down"
    finally:
        live.behave("normal")


def test_a_restart_is_told_and_what_the_dead_counted_stays(
    live: LiveGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    _, before = told(live, capsys)
    os.kill(before["workers"][0]["pid"], signal.SIGKILL)
    sequencer = next(role["pid"] for role in before["roles"] if role["name"] == "sequencer")
    os.kill(sequencer, signal.SIGKILL)

    after: dict[str, Any] = {}

    def back() -> bool:
        after.update(told(live, capsys)[1])
        again = {role["name"]: role for role in after["roles"]}["sequencer"]
        pids = {worker["pid"] for worker in after["workers"]} - {before["workers"][0]["pid"]}
        # on a loaded machine the gateway may take too long to say so: then its folders are read, which count nothing
        counted = "answered" in after["exchanges"]
        return bool(counted and again["alive"] and again["restarts"] == 1 and len(pids) == 2)

    assert until(back, 40)
    assert after["exchanges"]["answered"] >= before["exchanges"]["answered"]
    assert {role["name"]: role["last_exit"] for role in after["roles"]}["sequencer"] == -signal.SIGKILL


def test_what_never_becomes_a_request_is_counted_at_the_door(
    live: LiveGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    _, before = told(live, capsys)
    assert live.raw(b"\x16\x03 this is no http\r\n\r\n").startswith(b"HTTP/1.1 400")
    with (
        suppress(ConnectionError),  # clear text is reset, or closed
        socket.create_connection(("localhost", live.ports.gateway), timeout=5) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        plain.recv(1000)

    def counted() -> bool:
        doors = told(live, capsys)[1]["doors"]
        return all(doors.get(what, 0) > before["doors"].get(what, 0) for what in ("not_http", "handshake_failed"))

    assert until(counted, 5)


def called(gateway: LiveGateway, language: str, data: Path, *more: str) -> int:
    where = ["--dir", str(gateway.folder), "--as", "ministry", "--data", str(data), *more]
    return run(["--lang", language, "call", "echo", *where])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ("Refusé: Un champ ne respecte pas le contrat (field_invalid)", "Élément en cause: message")),
        ("en", ("Refused: A field does not follow the contract (field_invalid)", "Component at fault: message")),
    ],
)
def test_a_refusal_is_told_in_the_reader_s_language(
    live: LiveGateway, language: str, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"message": 1}', encoding="utf-8")
    assert called(live, language, data) == 1
    shown = capsys.readouterr().out
    for word in words:
        assert word in shown
    assert "title_en" not in shown


def test_a_party_whose_certificate_is_refused_is_told_so_and_the_operator_why(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"message": "x"}', encoding="utf-8")
    crl = live.keys / "revocation" / "ministry.root.crl"
    kept = crl.rename(tmp_path / "kept")
    try:
        # a verdict is kept until the folder is looked at again, a second later
        said = "Ce certificat TLS est refusé (certificate_refused)"
        refused: list[int] = []

        def told_so() -> bool:
            refused.append(called(live, "fr", data, "--within", "0"))
            return said in capsys.readouterr().out

        assert until(told_so, 10)
        assert refused[-1] == 1
        assert ("list_stale", "ministry.root") in {
            (item["name"], item["subject"]) for item in told(live, capsys)[1]["alarms"]
        }
    finally:
        kept.rename(crl)


def test_whoever_watches_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = LiveGateway(tmp_path)
    try:
        own.start()
        assert told(own, capsys)[0] == 0
        folder = snapshots_of(own)
        assert any(folder.iterdir())
        assert own.stop() == 0
    finally:
        own.close()
    assert not folder.exists()
    assert [path.name for path in (tmp_path / "gateway" / "db").glob("*-wal")] == []


# a gateway that is not there ----------------------------------------------------------------------------------------


def test_a_gateway_that_does_not_answer_is_told_from_its_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERELLE_LISTEN__HEALTH_PORT", "1")
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    config = str(tmp_path / "x" / "passerelle.toml")
    capsys.readouterr()
    assert run(["status", "--config", config]) == 3
    shown = capsys.readouterr().out
    assert "ne répond pas" in shown
    assert "0 alarme" not in shown
    assert "Le rôle superviseur est arrêté." in " ".join(shown.split())
    assert f"passerelle serve --config {config}" in shown.splitlines()[-1]
    assert run(["status", "--config", config, "--json"]) == 3
    facts = json.loads(capsys.readouterr().out)
    assert (facts["running"], facts["holds"]) == (False, False)
    assert [(item["name"], item["subject"]) for item in facts["alarms"]] == [("role_down", "supervisor")]
    assert {"tls-server", "signing"} <= {item["name"] for item in facts["certificates"]}


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (to_json(WELL), 0),
        (to_json(but(clock_steps_hour=1)), 1),
        (b"<html>something else</html>", 3),
    ],
    ids=["well", "alarm", "another_program"],
)
def test_the_exit_code_says_it_all(
    page: bytes, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    listener = HealthListener(0, dict, {"/status": lambda: ("application/json", page)})
    listener.start()
    try:
        monkeypatch.setenv("PASSERELLE_LISTEN__HEALTH_PORT", str(listener.port))
        assert run(["status", "--config", str(tmp_path / "x" / "passerelle.toml")]) == code
    finally:
        listener.stop()
    assert capsys.readouterr().out


def test_watching_goes_on_until_it_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["init", str(tmp_path / "x"), "--dev"]) == 0
    asked: list[int] = []

    def page() -> Page:
        asked.append(1)
        return "application/json", to_json(WELL)

    listener = HealthListener(0, dict, {"/status": page})
    listener.start()
    monkeypatch.setenv("PASSERELLE_LISTEN__HEALTH_PORT", str(listener.port))
    command = [sys.executable, "-m", "gateway.cli.main", "status", "--watch", "--config"]
    process = subprocess.Popen([*command, str(tmp_path / "x" / "passerelle.toml")], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert until(lambda: len(asked) > 1, 20)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        listener.stop()
    assert process.returncode == 0
    assert "Tout va bien." in shown.decode()


def test_status_without_a_configuration_is_wrong_usage(tmp_path: Path) -> None:
    assert run(["status", "--config", str(tmp_path / "nowhere.toml")]) == 2


# the screen ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alarm", [alarm.name for alarm in ALARMS])
def test_each_alarm_is_shown_in_both_languages_with_its_page(alarm: str) -> None:
    facts, subject, _ = CASES[alarm]
    for language in ("fr", "en"):
        shown = screen(facts, language, width=200)
        role = {"fr": {"workers": "travailleurs", "sequencer": "séquenceur"}}.get(language, {}).get(subject, subject)
        text = Catalogue(language)(f"alarm.{alarm}", subject=role)
        assert text in shown
        assert f"{language}#{alarm}" in shown


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_a_narrow_terminal_loses_columns_and_no_figure(width: int) -> None:
    upstream = UpstreamFacts("civil-registry", 2, 2, 17, {"answered": 123456, "upstream_malformed": 9}, {}, WELL.at)
    facts = replace(
        CASES["database_unreachable"][0],
        workers=(Alive(1234567, WELL.at, 99999, 200 << 20, 300, 20000),),
        upstreams=(replace(upstream, last_failed=True),),
        exchanges={"answered": 123456, "refused": 654321},
        refusals={"component_not_covered": 424242},
        refusals_hour={"component_not_covered": 31337},
        per_minute=(*tuple(range(60)), 7777),
    )
    for language in ("fr", "en"):
        shown = screen(facts, language, width)
        assert f"{language}#database_unreachable" in shown
        assert "…" not in shown
        assert max(map(len, shown.splitlines())) <= width
        figures = ("1234567", "99999", "123456", "654321", "424242", "31337", "7777", "365", "component_not_covered")
        assert [figure for figure in figures if figure not in shown] == []
        assert {"fr": "essai échoué", "en": "try failed"}[language].split()[1] in shown
        assert ("200 Mi" in shown) == (width > 60)


def test_what_a_gateway_that_is_not_there_cannot_know_is_left_out() -> None:
    shown = screen(replace(WELL, running=False, roles=()), "en")
    assert "does not answer" in shown
    assert "Processes" not in shown
    assert "Refusals" not in shown


def test_refusals_are_told_the_most_frequent_first() -> None:
    shown = screen(but(refusals={"replayed": 2, "not_agreed": 8}, refusals_hour={"replayed": 1}), "en")
    assert shown.index("not_agreed") < shown.index("replayed")


@pytest.mark.parametrize(
    ("values", "shown"),
    [((), ""), ((0, 0), "▁▁"), ((0, 5, 10), "▁▅█"), ((1,), "█")],
    ids=["none", "still", "up", "one"],
)
def test_a_sparkline(values: tuple[int, ...], shown: str) -> None:
    assert sparkline(values) == shown


@pytest.mark.parametrize(("fraction", "full"), [(-1, 0), (0, 0), (0.5, 10), (1, 20), (9, 20)])
def test_a_bar(fraction: float, full: int) -> None:
    assert bar(fraction) == "█" * full + "░" * (20 - full)
