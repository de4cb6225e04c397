"""The questions as people and scripts put them: words in two languages, files, exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from pathlib import Path

import pytest

from gateway.cli.main import run
from gateway.cli.questions import instant
from gateway.errors import ConfigurationError
from gateway.messages.catalogue import texts
from tests.audit.gateway_run import Gateway

Put = tuple[int, str, str]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    made = Gateway(tmp_path_factory.mktemp("asked"))
    made.echo()
    made.verify("1")
    made.echo(agreement="NONE")
    made.worker.close()
    made.sequence()
    made.sequence()
    return made


class Desk:
    """Puts command lines about one copy; gives exit code, output, errors."""

    def __init__(self, gateway: Gateway, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self.log, self.trust = gateway.settings.folders.log, gateway.folder / "trust"
        self.folder = folder
        self._captured = capfdbinary

    def __call__(self, command: str, *more: str, lang: str = "fr") -> Put:
        words = ["--lang", lang, "audit", command, *more, "--trust", str(self.trust)]
        self._captured.readouterr()
        code = run(words)
        out, err = self._captured.readouterr()
        return code, out.decode(), err.decode()

    def ask(self, command: str, *more: str, lang: str = "fr") -> Put:
        return self(command, str(self.log), *more, "--index", str(self.folder / "index"), lang=lang)

    def exchange(self) -> str:
        disclosures = json.loads(self.ask("disclosures", "--json")[1])["disclosures"]
        return str(disclosures[0]["exchange_id"])


@pytest.fixture
def desk(gateway: Gateway, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Desk:
    return Desk(gateway, tmp_path, capfdbinary)


def test_disclosures_in_words_of_both_languages(desk: Desk) -> None:
    code, french, _ = desk.ask("disclosures")
    assert code == 0
    assert "vérifié pour cette question" in french
    assert "nirec.verify [released]: handle outcome" in french
    assert "finalité admissibilite, entente ENT-2026-02: Entente fictive: admissibilité" in french
    assert "1 ligne, 1 échange." in french
    code, english, _ = desk.ask("disclosures", lang="en")
    assert code == 0
    assert "the answer comes from that audit's index" in english
    assert "agreement ENT-2026-02: Fictitious agreement: eligibility" in english


def test_disclosures_for_scripts(desk: Desk) -> None:
    content = json.loads(desk.ask("disclosures", "--json")[1])
    [line] = content["disclosures"]
    assert content["holds"] is True
    assert content["standing"]["sealed"] == []
    assert line["time_utc"].endswith("Z")
    assert re.search(r"[+-]0\d:00$", line["time_local"])
    handle = line["handle"]
    about = json.loads(desk.ask("disclosures", "--json", "--subject", handle)[1])
    assert (about["names"], about["disclosures"]) == ([line["subject"]], [line])
    everything = json.loads(desk.ask("disclosures", "--json", "--all")[1])["disclosures"]
    assert [item["outcome"] for item in everything] == ["released", "released", "not_agreed"]
    assert json.loads(desk.ask("disclosures", "--json", "--to", "2020-01-01")[1])["disclosures"] == []


def test_disclosures_for_a_spreadsheet(desk: Desk) -> None:
    code, out, err = desk.ask("disclosures", "--csv", lang="en")
    assert code == 0
    assert out.startswith("\ufeffTime (UTC),")
    [_, line] = list(csv.reader(io.StringIO(out)))
    assert line[2:7] == ["ministry", "Ministère de la Famille", "nirec.verify", "admissibilite", "ENT-2026-02"]
    assert "leaves, root" in err


def test_a_slip_in_a_name_is_not_taken_for_a_clean_answer(desk: Desk) -> None:
    code, out, err = desk.ask("disclosures", "--party", "ministery", "--field", "outcome", lang="en")
    assert code == 0
    assert "Nothing in what is open." in out
    assert "Party: this name stands nowhere in what is open. There are: cooperative, ministry" in err
    assert "Fields" not in err
    assert json.loads(desk.ask("disclosures", "--party", "ministery", "--json")[1])["unknown"] == ["party"]


def test_the_register_in_its_three_forms(desk: Desk) -> None:
    code, out, err = desk.ask("register")
    assert code == 0
    assert out.startswith("\ufeffEntente;Partie;Destinataire;Nature du renseignement;Finalité;Raison")
    assert "Registre passerelle.development" in err
    content = json.loads(desk.ask("register", "--format", "json")[1])
    assert content == json.loads(desk.ask("register", "--json")[1])
    [entry] = content["register"]
    assert (entry["agreement"], entry["persons"], entry["releases"]) == ("ENT-2026-02", 1, 1)
    page = desk.folder / "registre.html"
    code, out, _ = desk.ask("register", "--format", "html", "--out", str(page), "--from", "2026-01-01")
    assert (code, str(page) in out) == (0, True)
    html = page.read_text(encoding="utf-8")
    assert '<html lang="fr">' in html
    assert "art. 67.3" in html
    assert "<p>À partir du 2026-01-01T00:00:00-05:00.</p>" in html
    assert "Que chaque réponse a été reçue: 2 sans accusé de réception." in html
    assert entry["reason"] in html
    assert entry["first"] in html
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_nothing_is_overwritten_and_nothing_is_written_into_the_log(desk: Desk) -> None:
    kept = desk.folder / "kept"
    kept.write_text("mine", encoding="utf-8")
    assert desk.ask("register", "--out", str(kept))[0] == 2
    assert desk.ask("export", desk.exchange(), "--out", str(kept))[0] == 2
    assert kept.read_text(encoding="utf-8") == "mine"
    assert desk.ask("register", "--out", str(desk.log / "register.csv"))[0] == 2
    assert not (desk.log / "register.csv").exists()
    code, _, err = desk("disclosures", str(desk.log), "--index", str(desk.log / "objects"))
    assert (code, "dans le registre" in err) == (2, True)


def test_an_export_is_written_and_verified(desk: Desk) -> None:
    file = desk.folder / "proof.json"
    exchange_id = desk.exchange()
    code, out, _ = desk.ask("export", exchange_id, "--out", str(file))
    assert (code, "la preuve tient par elle-même" in out) == (0, True)
    code, out, _ = desk("verify-export", str(file))
    assert code == 0
    assert exchange_id in out
    assert "Ce qu'un seul échange ne peut pas prouver:" in out
    content = json.loads(desk("verify-export", str(file), "--json", lang="en")[1])
    assert (content["holds"], content["finding"], content["proven"]["party"]) == (True, None, "ministry")
    file.write_bytes(file.read_bytes().replace(b"sha-256", b"sha-255", 1)[:-1])
    code, out, _ = desk("verify-export", str(file), lang="en")
    assert (code, "The proof does not hold:" in out) == (1, True)
    content = json.loads(desk("verify-export", str(file), "--json")[1])
    assert (content["holds"], content["finding"]["code"], content["proven"]) == (False, "bundle_malformed", None)


@pytest.mark.parametrize("content", [b"", b"{}", b"# a guide", b'{"kind":"passerelle-receipt"}'])
def test_a_file_that_is_no_export_is_a_slip_and_no_verdict(desk: Desk, content: bytes) -> None:
    file = desk.folder / "guide.md"
    file.write_bytes(content)
    code, _, err = desk("verify-export", str(file))
    assert (code, "guide.md n'est pas une preuve d'échange" in err) == (2, True)


def test_a_log_that_does_not_hold_has_no_answers(desk: Desk, tmp_path: Path) -> None:
    (bad := tmp_path / "bad").mkdir()
    (bad / "checkpoint").write_text("nonsense", encoding="utf-8")
    code, out, err = desk("disclosures", str(bad))
    assert (code, out) == (1, "")
    assert "ne tient pas" in err
    content = json.loads(desk("register", str(bad), "--json")[1])
    assert content["holds"] is False
    assert "checkpoint_invalid" in {finding["code"] for finding in content["findings"]}


@pytest.mark.parametrize(
    "more",
    [
        ["disclosures", "--subject", "1234567890123"],
        ["disclosures", "--from", "hier"],
        ["disclosures", "--to", "2026-11-23T00:00:00"],
        ["register", "--from", "2026-11-24", "--to", "2026-11-23"],
        ["export", "nonsense", "--out", "x"],
        ["register", "--format", "pdf"],
    ],
)
def test_wrong_usage_exits_2(desk: Desk, more: list[str]) -> None:
    code, out, err = desk.ask(*more)
    assert (code, out) == (2, "")
    assert err


def test_an_exchange_that_is_not_there_exits_1(desk: Desk) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    code, _, err = desk.ask("export", missing, "--out", str(desk.folder / "none"))
    assert (code, missing in err) == (1, True)
    assert not (desk.folder / "none").exists()


def test_a_day_is_a_day_in_quebec_whole() -> None:
    begin, end = instant("2026-11-01", 0), instant("2026-11-01", 0, whole_day=True)
    assert end - begin == 25 * 3600 * 1_000_000  # the clocks go back that day
    assert instant("2026-11-01T00:00:00-04:00", 0) == begin
    assert instant(None, 7) == 7
    with pytest.raises(ConfigurationError):
        instant("2026-13-01", 0)


def test_every_reason_for_no_answer_has_its_words() -> None:
    files = [path for folder in ("audit/questions", "cli") for path in (ROOT / "gateway" / folder).glob("*.py")]
    raised = re.compile(r"NoAnswerError\(\s*\"([a-z_]+)\"|\"(exchange_[a-z]+)\" if")
    keys = {one or other for path in files for one, other in raised.findall(path.read_text(encoding="utf-8"))}
    assert len(keys) > 6
    assert {key for key in keys if f"problem.{key}" not in texts()} == set()
