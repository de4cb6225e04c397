"""A party's own side: what it reads from its folder, keeps, and says when the gateway cannot be reached."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.audit.kept_answer import read_kept_answer, read_proof
from gateway.client.client import PartyClient, UnreachableError
from gateway.client.party import PartyFolder
from gateway.client.proof import load_log_key
from gateway.client.signer import RequestSigner
from gateway.client.verifier import AnswerError
from gateway.errors import ConfigurationError
from gateway.keys.files import FileKeystore
from gateway.ledger.encoding import encode64
from gateway.ledger.proof import verify_proof
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.live import LiveGateway


def client(folder: Path) -> PartyClient:
    party = PartyFolder.load(folder)
    signer = RequestSigner(FileKeystore(folder, signing=["signing"]), SystemClock(), SystemRandomness(), party.origin)
    return PartyClient(party, signer, SystemRandomness(), timeout=5)


@pytest.fixture
def folder(live: LiveGateway, tmp_path: Path) -> Path:
    """A copy of the ministry's folder, to be spoilt."""
    return shutil.copytree(live.party("ministry"), tmp_path / "ministry")


def test_an_answer_is_kept_with_both_bodies_in_their_own_places(
    live: LiveGateway, folder: Path, tmp_path: Path
) -> None:
    mine = client(folder)
    request = mine.prepare("echo", {"message": "à garder"}, salted=False)
    answer = mine.send(request)
    path = mine.keep(request, answer, tmp_path / "receipts")
    kept = json.loads(path.read_text())
    assert path.name == f"{answer.exchange_id}.json"
    assert kept["headers"]["ledger-leaf"] == answer.ledger_leaf
    assert (folder / "bodies" / f"{answer.exchange_id}.request.json").read_bytes() == request.body
    assert (folder / "bodies" / f"{answer.exchange_id}.answer.json").read_bytes() == answer.body
    # a receipt never holds the request's body
    assert request.body.decode() not in json.dumps({**kept, "body": ""})


def test_a_salt_is_added_where_the_contract_asks_and_none_was_given(folder: Path) -> None:
    mine = client(folder)
    salts = {json.loads(mine.prepare("nirec.verify", {}, salted=True).body)["salt"] for _ in range(2)}
    assert len(salts) == 2
    given = json.loads(mine.prepare("nirec.verify", {"salt": "mine"}, salted=True).body)
    assert given["salt"] == "mine"
    assert "salt" not in json.loads(mine.prepare("echo", {}, salted=False).body)


def test_an_answer_of_a_gateway_with_another_key_is_refused(live: LiveGateway, folder: Path) -> None:
    shutil.copy(live.party("cooperative") / "signing.pem", folder / "gateway.pem")
    mine = client(folder)
    with pytest.raises(AnswerError, match="key"):
        mine.send(mine.prepare("echo", {"message": "a"}, salted=False))


def test_a_gateway_of_another_authority_is_refused(live: LiveGateway, folder: Path) -> None:
    shutil.copy(live.keys / "authorities" / "ministry.pem", folder / "gateway-root.pem")
    mine = client(folder)
    with pytest.raises(UnreachableError, match="tls_refused"):
        mine.send(mine.prepare("echo", {"message": "a"}, salted=False))


def test_nobody_there(folder: Path) -> None:
    text = (folder / "party.toml").read_text()
    origin = PartyFolder.load(folder).origin
    (folder / "party.toml").write_text(text.replace(origin, f"https://localhost:{free_port()}"))
    mine = client(folder)
    with pytest.raises(UnreachableError):
        mine.send(mine.prepare("echo", {"message": "a"}, salted=False))


def test_an_environment_does_not_choose_whom_we_trust(
    live: LiveGateway, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(live.keys / "authorities" / "ministry.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    mine = client(folder)
    assert mine.send(mine.prepare("echo", {"message": "a"}, salted=False)).status == 200


@pytest.mark.parametrize("spoil", ["absent", "no_toml", "no_name", "unknown_key"])
def test_a_folder_that_cannot_be_used(folder: Path, spoil: str) -> None:
    path = folder / "party.toml"
    content = {
        "no_toml": "=",
        "no_name": path.read_text().replace("name = ", "title = ", 1),
        "unknown_key": path.read_text() + 'surprise = "x"\n',
    }
    path.unlink()
    if spoil in content:
        path.write_text(content[spoil])
    with pytest.raises(ConfigurationError, match=r"party\.toml"):
        PartyFolder.load(folder)


def test_the_receipt_of_an_unknown_exchange(live: LiveGateway, folder: Path) -> None:
    mine = client(folder)
    answer = mine.send(mine.prepare("echo", {"message": "a"}, salted=False))
    theirs = client(live.party("cooperative"))
    with pytest.raises(AnswerError, match="404"):
        theirs.prove(answer, within=2)


def test_an_acknowledgement_is_in_its_one_form_under_the_answer_s_own_terms(folder: Path) -> None:
    mine = client(folder)
    request = mine.prepare("echo", {"message": "a"}, salted=False)
    answer = mine.send(request)
    made = mine.acknowledge(request, answer, handle=None)
    said = json.loads(made.request.body)
    assert said == {
        "answer_digest": answer.headers["content-digest"],
        "handle": None,
        "ledger_leaf": answer.ledger_leaf,
    }
    assert json.dumps(said, sort_keys=True, separators=(",", ":")).encode() == made.request.body
    for name in ("exchange-agreement", "exchange-purpose"):
        assert made.request.headers[name] == request.headers[name]
    assert (made.answer.status, made.answer.bound) == (200, True)


def test_an_answer_that_was_not_recorded_is_not_acknowledged(folder: Path) -> None:
    mine = client(folder)
    request = mine.prepare("echo", {"message": "a"}, salted=False)
    answer = replace(mine.send(request), ledger_leaf=None)
    with pytest.raises(AnswerError, match="nothing_to_acknowledge"):
        mine.acknowledge(request, answer, handle=None)


def test_a_receipt_holds_what_an_auditor_needs(live: LiveGateway, folder: Path, tmp_path: Path) -> None:
    mine = client(folder)
    request = mine.prepare("echo", {"message": "a"}, salted=False)
    answer = mine.send(request)
    path = mine.keep(request, answer, tmp_path / "receipts")
    kept = read_kept_answer(path)
    assert (kept.exchange_id, kept.content_digest) == (answer.exchange_id, answer.headers["content-digest"])
    assert encode64(kept.ledger_leaf or b"") == answer.ledger_leaf
    place = mine.prove(answer, within=5)
    assert place is not None
    path.with_suffix(".jws").write_text(place.receipt)
    index, _ = verify_proof(
        read_proof(path.with_suffix(".jws")) or "", kept.ledger_leaf or b"", load_log_key(folder / "log.vkey")
    )
    assert index == place.index


def test_what_was_kept_is_not_overwritten(live: LiveGateway, folder: Path, tmp_path: Path) -> None:
    """A refusal can be answered again under its id: the log's leaf is that of the first."""
    mine = client(folder)
    request = mine.prepare("echo", {"message": "a"}, salted=False)
    answer = mine.send(request)
    mine.keep(request, answer, tmp_path / "receipts")
    mine.keep(replace(request, body=b"{}"), answer, tmp_path / "receipts")
    kept = folder / "bodies" / f"{answer.exchange_id}.request.json"
    assert kept.read_bytes() == request.body
    assert kept.stat().st_mode & 0o777 == 0o600


def test_bodies_of_an_answer_that_was_not_recorded_are_not_kept(folder: Path, tmp_path: Path) -> None:
    """The log has no such exchange: `audit check-kept` would accuse it of having lost one."""
    mine = client(folder)
    request = mine.prepare("echo", {"message": "a"}, salted=False)
    answer = replace(mine.send(request), ledger_leaf=None)
    assert mine.keep(request, answer, tmp_path / "receipts").is_file()
    assert not list(folder.glob(f"bodies/{answer.exchange_id}.*"))
