"""A whole gateway whose keys were made in a token and never left it (S7), through real processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit
from gateway.development import Development, Ports
from gateway.keys.stores import Keys
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import until
from tests.exchange.live import KeptDevelopment, LiveGateway, workers
from tests.keys.softhsm import make_token
from tests.scenarios.keysearch import PROBE, Wanted, formats, mac_keys, signing_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.client.verifier import VerifiedAnswer
    from gateway.ports import Clock, Randomness
    from tests.exchange.live import Shown
    from tests.keys.softhsm import SoftHsm

MACS = ("claims", "ledger-subjects", "subject-handles", "nirec-0", "handle-ministry", "handle-cooperative")
SIGNERS = ("signing", "receipts", "log")
TLS = {"keys/tls-client.key", "keys/tls-server.key"}


class TokenGateway(LiveGateway):
    """LiveGateway with its keys in a token."""

    def __init__(self, folder: Path, hsm: SoftHsm) -> None:
        class InToken(KeptDevelopment):
            def __init__(self, folder: Path, ports: Ports, clock: Clock, randomness: Randomness) -> None:
                super().__init__(folder, ports, clock, randomness, hsm.settings())

        self.development = InToken
        self.hsm = hsm
        super().__init__(folder)


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    folder = tmp_path_factory.mktemp("hsm") / "token"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        yield make_token(folder)


@pytest.fixture(scope="module")
def gateway(hsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenGateway]:
    live = TokenGateway(tmp_path_factory.mktemp("token-gateway"), hsm)
    try:
        live.start_sandbox()
        live.start()
        yield live
    finally:
        live.close()


def wanted(folder: Path) -> Wanted:
    """What the gateway's keys give for PROBE, and the public keys, asked through the port."""
    settings = load_settings(folder / "passerelle.toml", {})
    keys = Keys(settings.folders.keys, settings.keystore, SystemClock(), SystemRandomness())
    store = keys.open(signing=SIGNERS, macs=MACS)
    try:
        return Wanted(
            {name: store.mac(name, PROBE) for name in MACS}, {name: store.public_key(name) for name in SIGNERS[:2]}
        )
    finally:
        store.close()


def exchanged(gateway: TokenGateway) -> None:
    """An echo, and for each party a verification, acknowledged and proven."""
    client = gateway.client("ministry")
    assert client.send(client.prepare("echo", {"message": "bonjour"}, salted=False)).status == 200
    for party in ("ministry", "cooperative"):
        caller = gateway.client(party)
        request = gateway.verification("confirmed", party).signed()
        answer = caller.send(request)
        assert answer.status == 200
        assert caller.acknowledge(request, answer, handle=_handle(answer)).answer.status == 200
        assert caller.prove(answer, within=15) is not None, "a receipt signed in the token, and a checkpoint"


def _handle(answer: VerifiedAnswer) -> str:
    return str(json.loads(answer.body)["handle"])


def audited(gateway: LiveGateway) -> None:
    verdict = audit(gateway.folder / "gateway" / "log", gateway.folder / "trust")
    assert verdict.holds, verdict.findings[:5]


def test_exchanges_receipts_and_log_are_signed_in_the_token(gateway: TokenGateway) -> None:
    exchanged(gateway)
    audited(gateway)
    assert not list(gateway.keys.glob("*.mac"))
    assert sorted(path.name for path in gateway.keys.glob("*.key")) == ["tls-client.key", "tls-server.key"]


def test_no_key_but_those_of_tls_is_on_disk(gateway: TokenGateway) -> None:
    exchanged(gateway)
    folder, keys = gateway.folder / "gateway", wanted(gateway.folder)
    assert {path for path, _ in formats(folder)} == TLS
    assert mac_keys(folder, keys) == set()
    assert signing_keys(folder / "keys", keys) == set()


def test_the_search_finds_keys_that_are_there(tmp_path: Path) -> None:
    """The positive control: the same keys as files."""
    Development(tmp_path / "files", Ports(), SystemClock(), SystemRandomness()).create(births=300)
    folder = tmp_path / "files" / "gateway"
    keys = wanted(tmp_path / "files")
    found = formats(folder)
    assert {path for path, _ in found} == TLS | {f"keys/{name}.key" for name in SIGNERS}
    assert {name for path, name in found if path == "keys/log.key"} == {"PEM", "PKCS #8, Ed25519"}
    assert {name for path, name in found if path == "keys/signing.key"} == {"PEM", "PKCS #8, EC", "SEC 1"}
    assert mac_keys(folder, keys) == {(f"keys/{name}.mac", name) for name in MACS}
    assert signing_keys(folder / "keys", keys) == {(f"{name}.key", name) for name in SIGNERS[:2]}
    raw = bytes.fromhex((folder / "keys" / "claims.mac").read_text())
    (folder / "db" / "hidden").write_bytes(b"before " + raw + b" after")
    assert mac_keys(folder / "db", keys) == {("hidden", "claims")}


def test_a_token_that_is_removed_and_put_back(gateway: TokenGateway) -> None:
    """Nothing is released without it, nobody is asked anything; afterwards all goes on, in the same processes."""
    exchanged(gateway)
    before = workers(gateway.processes["gateway"].pid)
    gateway.hsm.away()
    try:
        assert until(lambda: _told(gateway) == (503, "not_recorded"), 10)
        asked = gateway.counter()
        for _ in range(6):
            assert _told(gateway) == (503, "not_recorded")
        assert gateway.counter() == asked, "the registry was asked for what could not be recorded"
        assert gateway.get("/v1/exchanges/00000000-0000-4000-8000-000000000000/receipt").status == 404
    finally:
        gateway.hsm.back()
    assert until(lambda: all(_told(gateway) == (200, None) for _ in range(6)), 15)
    assert workers(gateway.processes["gateway"].pid) == before
    exchanged(gateway)
    audited(gateway)


def _told(gateway: TokenGateway) -> tuple[int, str | None]:
    shown = gateway.exchange(gateway.verification("confirmed").signed())
    if shown.status != 200:
        _unsigned_and_empty(shown)
    return shown.status, None if shown.status == 200 else shown.json()["code"]


def _unsigned_and_empty(shown: Shown) -> None:
    """Without its key the gateway cannot even sign a refusal (docs/profile.md, section 5): nothing is in it."""
    said: Mapping[str, object] = shown.json()
    assert "signature" not in shown.headers
    assert "handle" not in said
    assert "ledger-leaf" not in shown.headers
