"""Keys that are rotated while the gateway runs: known ahead, taken without a restart, and nothing old is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certs.profiles import Profile
from gateway.audit.audit import Beside, audit
from gateway.cli.main import run
from gateway.keys.generations import Generations
from gateway.keys.request import BehindThePort
from gateway.keys.stores import Keys
from gateway.settings import load_settings
from gateway.signing.answer import keyid_of
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import until
from tests.exchange.live import LiveGateway, workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certs.authority import Issued
    from gateway.client.verifier import VerifiedAnswer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    live = LiveGateway(tmp_path_factory.mktemp("rotation"))
    try:
        live.start_sandbox()
        live.start()
        yield live
    finally:
        live.close()


def keys(gateway: LiveGateway, *arguments: str) -> int:
    return run(["keys", *arguments, "--config", str(gateway.folder / "passerelle.toml")])


def certified(gateway: LiveGateway, name: str) -> Issued:
    """What the gateway's authority makes of a key's request."""
    settings = load_settings(gateway.folder / "passerelle.toml", {})
    store = Keys(settings.folders.keys, settings.keystore, SystemClock(), SystemRandomness()).open_one(name)
    behind = BehindThePort(store, name, store.public_key(name))
    return gateway.authorities["passerelle"].issue(Profile.SIGNING, ["gateway.passerelle.test"], key=behind)


def echoed(gateway: LiveGateway) -> VerifiedAnswer:
    client = gateway.client("ministry")
    return client.send(client.prepare("echo", {"message": "bonjour"}, salted=False))


def keyids(gateway: LiveGateway) -> set[str]:
    """Of what callers can fetch."""
    shown = gateway.get("/.well-known/passerelle-signing.pem")
    assert (shown.status, shown.headers["content-type"]) == (200, "application/pem-certificate-chain")
    return {_keyid(one) for one in x509.load_pem_x509_certificates(shown.body)}


def kids(gateway: LiveGateway) -> list[str]:
    return [key["kid"] for key in gateway.get("/.well-known/jwks.json").json()["keys"]]


def signed_under(gateway: LiveGateway, keyid: str) -> bool:
    """Whether several answers in a row, of whichever workers, are."""
    return all(f'keyid="{keyid}"' in echoed(gateway).headers["signature-input"] for _ in range(6))


def test_the_signing_key(gateway: LiveGateway, tmp_path: Path) -> None:
    old = _keyid(x509.load_pem_x509_certificate((gateway.keys / "signing.pem").read_bytes()))
    before, processes = echoed(gateway), workers(gateway.processes["gateway"].pid)
    kept = _kept(gateway, tmp_path, before=True)
    assert keys(gateway, "rotate", "signing") == 0
    assert keys(gateway, "csr", "signing-1", "--out", str(tmp_path / "csr.pem")) == 0
    issued = certified(gateway, "signing-1")
    (tmp_path / "new.pem").write_bytes(issued.pem)
    assert keys(gateway, "import", "signing-1", str(tmp_path / "new.pem")) == 0
    new = _keyid(issued.certificate)
    # ahead: callers can have it, and nothing is signed under it
    assert until(lambda: {old, new} <= keyids(gateway), 10)
    assert signed_under(gateway, old)
    assert keys(gateway, "activate", "signing-1") == 0
    assert until(lambda: signed_under(gateway, new), 10)
    assert workers(gateway.processes["gateway"].pid) == processes, "without a restart"
    after = echoed(gateway)
    assert (before.signer, after.signer) == (_der(gateway, "signing"), issued.der)
    _kept(gateway, tmp_path, before=False)
    request = gateway.verification("confirmed").signed()
    assert gateway.client("ministry").send(request).status == 200, "the registry accepts the new certificate too"
    verdict = audit(_log(gateway), gateway.folder / "trust", beside=Beside(receipts=kept, now=SystemClock().now()))
    assert verdict.holds, verdict.findings[:5]
    assert verdict.receipts is not None


def test_the_receipts_key(gateway: LiveGateway) -> None:
    first = echoed(gateway)
    client = gateway.client("ministry")
    place = client.prove(first, within=15)
    assert place is not None
    old = str(jwt.get_unverified_header(place.receipt)["kid"])
    assert keys(gateway, "rotate", "receipts") == 0
    assert until(lambda: len(kids(gateway)) == 2, 10), "the next one is published before it is used"
    assert kids(gateway)[0] == old
    assert keys(gateway, "activate", "receipts-1") == 0

    def changed() -> bool:
        found = client.prove(echoed(gateway), within=15)
        assert found is not None
        return str(jwt.get_unverified_header(found.receipt)["kid"]) != old

    assert until(lambda: all(changed() for _ in range(4)), 15)
    assert old in kids(gateway), "what was signed under it is still held"
    jwks = {key["kid"]: key for key in gateway.get("/.well-known/jwks.json").json()["keys"]}
    assert jwt.decode(place.receipt, jwt.PyJWK(jwks[old]).key, ["ES256"], options={"verify_aud": False})
    assert keys(gateway, "withdraw", "receipts") == 0
    assert until(lambda: old not in kids(gateway), 10)


def test_nothing_can_be_replayed_across_a_rotation(gateway: LiveGateway) -> None:
    requests = [gateway.draft().signed() for _ in range(4)]
    salted = gateway.verification("confirmed").signed()
    for request in (*requests, salted):
        assert gateway.exchange(request).status == 200
    assert keys(gateway, "rotate", "claims") == 0
    used = _claims_in_use(gateway)
    assert until(lambda: used() == "claims-1", 15)
    for request in (*requests, *requests, salted):
        shown = gateway.exchange(request)
        assert (shown.status, shown.json()["code"]) == (409, "replayed")
    again = gateway.verification("confirmed", salt=json.loads(salted.body)["salt"]).signed()
    assert gateway.exchange(again).json()["code"] == "salt_repeated"


def _claims_in_use(gateway: LiveGateway) -> Any:
    table = Generations(gateway.keys, SystemClock())
    return lambda: table.name("claims")


def _kept(gateway: LiveGateway, folder: Path, *, before: bool) -> Path:
    """A receipt kept as `passerelle call` keeps it."""
    client = gateway.client("ministry")
    request = client.prepare("echo", {"message": f"before: {before}"}, salted=False)
    client.keep(request, client.send(request), folder / "receipts")
    return folder / "receipts"


def _log(gateway: LiveGateway) -> Path:
    return gateway.folder / "gateway" / "log"


def _der(gateway: LiveGateway, name: str) -> bytes:
    return x509.load_pem_x509_certificate((gateway.keys / f"{name}.pem").read_bytes()).public_bytes(Encoding.DER)


def _keyid(certificate: x509.Certificate) -> str:
    return keyid_of(certificate.fingerprint(hashes.SHA256()).hex())
