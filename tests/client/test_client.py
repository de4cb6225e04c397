"""A party's own side: what it reads from its folder, keeps, and says when the gateway cannot be reached."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from gateway.client.client import PartyClient, UnreachableError
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.client.verifier import AnswerError
from gateway.errors import ConfigurationError
from gateway.keys.files import FileKeystore
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
