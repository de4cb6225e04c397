"""A gateway founded as a real one is: by its officers' first policy, with certificates from outside (P1, S7)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography import x509

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.audit.audit import audit
from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.keys.files import FileKeystore
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import free_port, until
from tests.cli.desk import Desk
from tests.exchange.live import ROOT, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = {"passerelle": ["gateway.example", "localhost"], "ministry": ["ministry.example"]}
OFFICERS = ("alice", "bob", "carol")


@dataclass(frozen=True)
class OnlyPublic:
    """What an authority sees of a key: the request's public half."""

    request: x509.CertificateSigningRequest

    def public_key(self) -> Any:
        return self.request.public_key()


class Founded:
    """Officers, an auditor, two authorities and an operator; each does its part, in order."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.home = folder / "gateway.example"
        self.port, self.health = free_port(), free_port()
        self.authorities = {name: DevAuthority(name, SystemClock().now()) for name in HOSTS}
        self.desk = Desk(self.home, capsys)

    def found(self) -> None:
        """The officers write the first policy; `init --policy` makes the gateway."""
        officers = {name: self.told("policy", "new-officer", name, "--out", self.folder / f"{name}.key")["public"]
                    for name in OFFICERS}  # fmt: skip
        month = SystemClock().now().strftime("%Y%m")
        period = self.told("policy", "new-period", month, "--out", self.folder / "periods")
        year = SystemClock().now().year
        validity = {"since": f"{year - 1}-01-01T00:00:00Z", "until": f"{year + 2}-01-01T00:00:00Z"}
        bundle = {
            "origin": "gateway.example", "version": 1, "previous": None, "validity": dict(validity),
            "gateway": "passerelle",
            "officers": {"threshold": 2, "keys": officers, "widening_delay_hours": 48},
            "authorities": {
                name: {"roots": [each.root.pem.decode()], "intermediates": [each.issuing.pem.decode()]}
                for name, each in self.authorities.items()
            },
            "parties": {
                name: {"title": {"fr": name, "en": name}, "role": role, "authority": name, "names": HOSTS[name][:1]}
                for name, role in (("passerelle", "gateway"), ("ministry", "ministry"))
            },
            "agreements": {
                "E-1": {
                    "party": "ministry", "operation": "echo", "purposes": ["essai"], "fields": ["message"],
                    "legal_basis": {"fr": "Aucune", "en": "None"}, "validity": validity,
                }
            },
            "guard": {"refusals_per_minute": 60},
            "periods": {month: period["sha256"]},
        }  # fmt: skip
        first = self.folder / "first.yaml"
        first.write_text(yaml.safe_dump(bundle, allow_unicode=True, sort_keys=False), encoding="utf-8")
        self.desk.run("init", self.home, "--policy", first, "--periods", self.folder / "periods")
        toml = self.home / "passerelle.toml"
        text = toml.read_text(encoding="utf-8").replace("https://gateway.example", f"https://localhost:{self.port}")
        toml.write_text(text.replace("8443", str(self.port)).replace("8081", str(self.health)), encoding="utf-8")
        shutil.copytree(self.folder / "periods", self.home / "trust" / "periods")

    def certify(self) -> None:
        """The operator asks its authority for certificates and puts them in place, with lists and callers' keys."""
        keys = self.home / "gateway" / "keys"
        for name, authority in self.authorities.items():
            for kind, crl in zip(("root", "issuing"), authority.revocation_lists(), strict=True):
                write_public(keys / "revocation" / f"{name}.{kind}.crl", crl)
        own = self.authorities["passerelle"]
        for name, profile, hosts in (
            ("tls-server", Profile.TLS_SERVER, HOSTS["passerelle"]),
            ("tls-client", Profile.TLS_CLIENT, HOSTS["passerelle"][:1]),
            ("signing", Profile.SIGNING, HOSTS["passerelle"][:1]),
        ):
            asked = self.folder / f"{name}.csr"
            dns = [part for host in hosts for part in ("--dns", host)]
            self.desk.run("keys", "csr", name, "--subject", f"CN={hosts[0]}", *dns, "--out", asked, *self.config)
            request = x509.load_pem_x509_csr(asked.read_bytes())
            assert request.is_signature_valid
            issued = own.issue(profile, hosts, key=OnlyPublic(request))  # type: ignore[arg-type]  # its public half
            given = self.folder / f"{name}.pem"
            given.write_bytes(issued.pem + own.issuing.pem)
            self.desk.run("keys", "import", name, given, *self.config)
        ministry = self.folder / "ministry"
        for stem, profile in (("tls", Profile.TLS_CLIENT), ("signing", Profile.SIGNING)):
            issued = self.authorities["ministry"].issue(profile, HOSTS["ministry"])
            write_private(ministry / f"{stem}.key", issued.key_pem)
            write_public(ministry / f"{stem}.pem", issued.pem + self.authorities["ministry"].issuing.pem)
            if profile is Profile.SIGNING:
                write_public(keys / "signers" / "ministry.pem", issued.pem)
        write_public(ministry / "gateway.pem", (keys / "signing.pem").read_bytes())
        write_public(ministry / "gateway-root.pem", own.root.pem)
        (ministry / "party.toml").write_text(
            f'name = "ministry"\norigin = "https://localhost:{self.port}"\nauthority = "gateway-root.pem"\n'
            '[operations.echo]\nmethod = "POST"\npath = "/v1/echo"\nagreement = "E-1"\npurpose = "essai"\n'
        )

    @property
    def config(self) -> tuple[str, str]:
        return "--config", str(self.home / "passerelle.toml")

    def told(self, *arguments: object) -> dict[str, Any]:
        return self.desk.told(*arguments)

    def client(self) -> PartyClient:
        party = PartyFolder.load(self.folder / "ministry")
        keys = FileKeystore(party.folder, signing=["signing"])
        return PartyClient(
            party, RequestSigner(keys, SystemClock(), SystemRandomness(), party.origin), SystemRandomness()
        )


@pytest.fixture
def founded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Founded:
    made = Founded(tmp_path, capsys)
    made.found()
    made.certify()
    return made


@pytest.fixture
def serving(founded: Founded) -> Iterator[Founded]:
    command = [sys.executable, "-m", "gateway.cli.main", "serve", *founded.config]
    with (founded.folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        ready = until(lambda: status_of(f"http://127.0.0.1:{founded.health}/readyz") == 200, 40)
        assert ready, (founded.folder / "said.txt").read_text()
        yield founded
    finally:
        process.terminate()
        process.wait(40)


def test_a_founded_gateway_serves_its_first_party(serving: Founded) -> None:
    client = serving.client()
    answer = client.send(client.prepare("echo", {"message": "Bonjour"}, salted=False))
    assert answer.status == 200
    # its keys are one process's alone, and its officers change it by two
    roles = {role["name"] for role in serving.told("status", *serving.config)["roles"]}
    assert "keystore" in roles
    assert serving.told("policy", "show", *serving.config)["threshold"] == 2
    # and an auditor finds all of it in order, with nothing but his own anchors
    log = serving.home / "gateway" / "log"
    assert until(lambda: audit(log, serving.home / "trust").facts.exchanges >= 1, 20)
    verdict = audit(log, serving.home / "trust")
    assert verdict.holds, verdict.findings
