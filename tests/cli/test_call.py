"""`passerelle call` against a running gateway: what it keeps, and its acknowledgement (L12)."""

from __future__ import annotations

import json
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.loader import load_contract
from gateway.cli.call import acknowledged, operation_of
from gateway.cli.main import run
from gateway.cli.output import Exit, Output
from gateway.client.client import UnreachableError
from gateway.client.party import AgreedOperation
from gateway.client.signer import SignedRequest
from gateway.client.verifier import AnswerError, VerifiedAnswer
from gateway.errors import ConfigurationError
from gateway.messages.catalogue import Catalogue

if TYPE_CHECKING:
    from gateway.client.client import Acknowledgement
    from gateway.errors import ShownError
    from tests.cli.desk import Desk
    from tests.exchange.live import LiveGateway


def called(
    live: LiveGateway, capsys: pytest.CaptureFixture[str], operation: str, data: Path, *more: str
) -> tuple[int, dict[str, Any]]:
    line = ["call", operation, "--dir", str(live.folder), "--as", "cooperative", "--data", str(data), *more, "--json"]
    code = run(line)
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, shown


def test_a_call_is_acknowledged_with_its_handle(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    data = live.party("cooperative") / "requests" / "confirmed.json"
    code, shown = called(live, capsys, "nirec.verify", data, "--acknowledge")
    assert (code, shown["status"]) == (0, 200)
    assert shown["acknowledgement"]["status"] == 200
    bodies = live.party("cooperative") / "bodies"
    said = json.loads((bodies / f"{shown['acknowledgement']['exchange_id']}.request.json").read_bytes())
    assert said["handle"] == shown["body"]["handle"]
    for exchange_id in (shown["exchange_id"], shown["acknowledgement"]["exchange_id"]):
        kept = json.loads((live.folder / "receipts" / f"{exchange_id}.json").read_text())
        assert (kept["v"], kept["party"]) == (1, "cooperative")
        for part in ("request", "answer"):
            assert stat.S_IMODE((bodies / f"{exchange_id}.{part}.json").stat().st_mode) == 0o600
    # the registry keeps nothing that it was not told to keep (`sandbox --keep`)
    assert not (live.folder / "sandbox" / "civil-registry" / "kept").exists()


def test_a_call_acknowledges_only_when_asked(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    data = live.party("cooperative") / "requests" / "echo.json"
    code, shown = called(live, capsys, "echo", data)
    assert (code, shown["acknowledgement"]) == (0, None)


def test_a_refusal_is_not_acknowledged(live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"message": 1}')
    code, shown = called(live, capsys, "echo", data, "--acknowledge")
    assert (code, shown["body"]["code"], shown["acknowledgement"]) == (1, "field_invalid", None)


def test_a_call_says_that_it_acknowledged(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    data = live.party("cooperative") / "requests" / "echo.json"
    line = ["call", "echo", "--dir", str(live.folder), "--as", "cooperative", "--data", str(data), "--acknowledge"]
    assert run(line) == 0
    assert "Accusé de réception enregistré" in capsys.readouterr().out


class Failing:
    """A client whose acknowledgement does not get through."""

    def __init__(self, error: ShownError) -> None:
        self._error = error
        self.asked: list[tuple[SignedRequest, VerifiedAnswer, str | None]] = []

    def acknowledge(self, request: SignedRequest, answer: VerifiedAnswer, *, handle: str | None) -> Acknowledgement:
        self.asked.append((request, answer, handle))
        raise self._error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UnreachableError("unreachable", detail="reset"), Exit.OUTSIDE, "injoignable"),
        (AnswerError("answer_not_signed"), Exit.REFUSED, "pas signée"),
    ],
)
def test_a_failed_acknowledgement_does_not_take_the_answer_away(
    error: ShownError, code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = SignedRequest("POST", "/v1/echo", {}, b"", "", b"", b"")
    answer = VerifiedAnswer(200, {}, b"{}", "id", "leaf", bound=True)
    assert acknowledged(Output(Catalogue("fr")), Failing(error), request, answer, None) == (None, code)
    assert words in capsys.readouterr().err


def expecting(folder: Path, *more: str) -> list[str]:
    data = folder / "expected.json"
    data.write_text('{"reference": "dossier 1"}')
    return ["call", "subject.expect", "--dir", str(folder), "--as", "ministry", "--data", str(data), *more]


@pytest.mark.parametrize("form", [[], ["--soap"]], ids=["rest", "soap"])
def test_where_no_answer_comes_the_key_to_ask_again_under_is_told(
    form: list[str], desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """No gateway runs in this folder, so that nobody answers."""
    assert run(expecting(desk.folder, *form)) == 3
    told = capsys.readouterr()
    key = re.search(r"--key ([0-9a-f-]{36})", told.err)
    assert key is not None
    assert f"Clé d'idempotence: {key[1]}" in told.out
    assert run(expecting(desk.folder, *form, "--key", key[1], "--json")) == 3
    assert json.loads(capsys.readouterr().out)["idempotency_key"] == key[1]


@pytest.mark.parametrize("form", [[], ["--soap"]], ids=["rest", "soap"])
def test_a_key_that_is_no_uuid_is_sent_nowhere(form: list[str], desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody would answer (3): that it is wrong usage says that nobody was asked."""
    assert run(expecting(desk.folder, *form, "--key", "pasunuuid")) == 2
    assert "rien n'a été envoyé" in capsys.readouterr().err


def test_what_has_an_effect_tells_its_key_and_no_other(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "expected.json"
    data.write_text('{"reference": "dossier 1"}')
    first = called(live, capsys, "subject.expect", data)[1]
    again = called(live, capsys, "subject.expect", data, "--key", first["idempotency_key"])[1]
    assert again["body"]["handle"] == first["body"]["handle"]
    assert (
        called(live, capsys, "echo", live.party("cooperative") / "requests" / "echo.json")[1]["idempotency_key"] is None
    )


def test_an_answer_that_cannot_be_kept_tells_its_key(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(live.party("ministry"), tmp_path / "sandbox" / "parties" / "ministry")
    (tmp_path / "receipts").write_text("no folder")
    assert run([*expecting(tmp_path), "--json"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["idempotency_key"] in told.err
    assert "n'a pas pu être gardée" in told.err


def test_an_operation_that_the_party_has_no_agreement_for(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    data.write_text("{}")
    line = ["call", "exchange.acknowledge", "--dir", str(live.folder), "--as", "cooperative", "--data", str(data)]
    assert run(line) == 2
    assert "echo, " in capsys.readouterr().err


ECHO = (Path(__file__).parents[2] / "contracts" / "echo" / "v1" / "contract.yaml").read_text(encoding="utf-8")
VERSIONS = [
    load_contract(
        ECHO.replace('version: "1"', f'version: "{version}"').replace("/v1/echo", f"/v{version}/echo").encode()
    )
    for version in ("10", "2", "1")
]


@pytest.mark.parametrize(
    ("version", "path", "called", "said"),
    [
        (None, "/v2/echo", "/v2/echo", "/v2/echo"),
        ("1", "/v2/echo", "/v1/echo", "/v1/echo"),
        (None, "/elsewhere/echo", "/v10/echo", None),
    ],
    ids=["the_party_s", "the_one_asked_for", "the_newest"],
)
def test_the_version_of_an_operation_that_is_called(version: str, path: str, called: str, said: str | None) -> None:
    """Its contract is what the salt and the handle go by; its address is the party's, unless a version is asked for."""
    declared, rest = operation_of("echo", version, VERSIONS, AgreedOperation("POST", path, "A", "p"))
    assert declared.rest.path == called
    assert (None if rest is None else rest.path) == said


def test_a_version_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError) as error:
        operation_of("echo", "3", VERSIONS, None)
    assert error.value.values == {"operation": "echo", "version": "3", "known": "1, 2, 10"}


def test_a_version_is_called_by_its_own_address(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    data = live.party("cooperative") / "requests" / "echo.json"
    assert called(live, capsys, "echo", data, "--version", "1")[0] == 0
    line = ["call", "echo", "--version", "7", "--dir", str(live.folder), "--as", "cooperative", "--data", str(data)]
    assert run(line) == 2
    assert "n'a pas de version 7; elle a: 1" in capsys.readouterr().err


def test_fields_that_do_not_fit_into_an_address(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"as_of": ["2026-10-31"]}')
    line = ["call", "waitlist.statistics", "--dir", str(live.folder), "--as", "ministry", "--data", str(data)]
    assert run(line) == 2
    assert "/v1/waitlist/statistics" in capsys.readouterr().err
