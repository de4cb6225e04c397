"""`passerelle call --soap`: the other form, the same answer; kept, proven, and refused in the same words."""

from __future__ import annotations

import json
import shutil
import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.loader import load_contracts
from gateway.cli.call import client_of
from gateway.cli.main import run
from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.soap import SoapCaller
from gateway.client.verifier import AnswerError
from gateway.errors import ConfigurationError
from gateway.keys.files import FileKeystore
from gateway.places import contracts_folder
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway


def called(
    live: LiveGateway, capsys: pytest.CaptureFixture[str], operation: str, data: Path, *more: str
) -> tuple[int, dict[str, Any]]:
    line = ["call", operation, "--dir", str(live.folder), "--as", "cooperative", "--data", str(data), *more, "--json"]
    code = run(line)
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, shown


def test_both_forms_say_the_same(live: LiveGateway, capsys: pytest.CaptureFixture[str]) -> None:
    data = live.party("cooperative") / "requests" / "confirmed.json"
    (_, rest), (code, soap) = (called(live, capsys, "nirec.verify", data, *more) for more in ((), ("--soap",)))
    said = [{name: one["body"][name] for name in ("outcome", "handle")} for one in (rest, soap)]
    assert (code, soap["status"], said[0]) == (0, 200, said[1])
    assert soap["index"] is not None
    assert Path(soap["receipt"]).read_bytes().startswith(b"<")
    for part in ("request", "answer"):
        kept = live.party("cooperative") / "bodies" / f"{soap['exchange_id']}.{part}.xml"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_fault_is_told_as_a_refusal_is(live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "asked.json"
    data.write_text(json.dumps({"message": "a" * 2000}))
    code, shown = called(live, capsys, "echo", data, "--soap")
    assert (code, shown["body"]["code"], shown["body"]["component"]) == (1, "field_invalid", "message")
    assert {"title_fr", "title_en", "detail_fr"} <= shown["body"].keys()


def test_a_repeat_under_its_key_has_no_second_effect(
    live: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, key = tmp_path / "asked.json", str(uuid.uuid4())
    data.write_text(json.dumps({"reference": "dossier 7"}))
    answers = [called(live, capsys, "subject.expect", data, *more)[1] for more in (("--soap", "--key", key),) * 2]
    answers.append(called(live, capsys, "subject.expect", data, "--soap")[1])
    handles = [one["body"]["handle"] for one in answers]
    assert handles[0] == handles[1] != handles[2]


class Spoiling(PartyClient):
    """A connection on which the answer is changed."""

    def exchange(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        status, came = super().exchange(target, headers, body)
        return status, came.replace(b"bonjour", b"bonsoir")


def caller(folder: Path, kind: type[PartyClient] = PartyClient) -> SoapCaller:
    party, made = PartyFolder.load(folder), client_of(folder)
    made.__class__ = kind
    return SoapCaller(made, party, FileKeystore(folder, signing=["signing"]), SystemClock(), SystemRandomness())


def test_an_answer_that_was_changed_is_not_believed(live: LiveGateway) -> None:
    contract = next(one for one in load_contracts(contracts_folder()) if one.service == "echo")
    folder = live.party("cooperative")
    assert json.loads(caller(folder).call(contract, "echo", {"message": "bonjour"}).answer.body) == {
        "message": "bonjour"
    }
    with pytest.raises(AnswerError, match="digest"):
        caller(folder, Spoiling).call(contract, "echo", {"message": "bonjour"})


def test_an_answer_under_another_key_is_not_believed(live: LiveGateway, tmp_path: Path) -> None:
    contract = next(one for one in load_contracts(contracts_folder()) if one.service == "echo")
    folder = shutil.copytree(live.party("cooperative"), tmp_path / "cooperative")
    shutil.copy(live.party("ministry") / "signing.pem", folder / "gateway.pem")
    with pytest.raises(AnswerError, match="another_key"):
        caller(folder).call(contract, "echo", {"message": "bonjour"})


def test_what_is_no_message_is_not_sent(live: LiveGateway) -> None:
    contracts = load_contracts(contracts_folder())
    echo = next(one for one in contracts if one.service == "echo")
    permits = next(one for one in contracts if "waitlist.counts" in one.operations)
    ours = caller(live.party("cooperative"))
    with pytest.raises(ConfigurationError, match="fields_unfit"):
        ours.call(echo, "echo", {"mesage": "bonjour"})
    with pytest.raises(ConfigurationError, match="no_such_operation"):
        ours.call(permits, "waitlist.counts", {"as_of": "2026-10-31"})
