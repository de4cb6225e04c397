"""A government system that was not made for us, added by its folder, two lines of settings and the policy (C2)."""

from __future__ import annotations

import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sandboxing.behaviour import Switchboard
from adapters.sandboxing.server import Listening, ServiceHandler, ServiceServer
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway import development_policy
from gateway.audit.audit import audit
from tests.adapters.fakes import free_port
from tests.adapters.test_foreign import PERMIT, PERMITS
from tests.exchange.live import KeptDevelopment, LiveGateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


THEM = "accreditation"
FIELDS = ["permit", "state", "name", "municipality", "postal_code", "capacities", "daily_rate", "expires", "subsidised"]
AGREEMENT = (
    "ministry", "permit.lookup", "inspection", [*FIELDS, "remarks", "answered_at"], False, "Fictive", "Fictitious",
)  # fmt: skip


class WithAccreditation(KeptDevelopment):
    """A development set-up in which the register is one of the outside systems."""

    port: int

    def _settings(self) -> None:
        super()._settings()
        path = self._folder / "passerelle.toml"
        section = f'\n[upstreams.{THEM}]\nurl = "https://localhost:{self.port}/services/X"\nfolder = "{PERMITS}"\n'
        path.write_text(path.read_text(encoding="utf-8") + section, encoding="utf-8")


class Gateway(LiveGateway):
    development = WithAccreditation


class Register(ServiceHandler):
    """Theirs: it knows nothing of the gateway, and answers everybody alike."""

    asked: list[str]

    def post(self, body: bytes) -> None:
        self.asked.append(body.decode())
        self.reply(200, {"Content-Type": "text/xml"}, PERMIT.encode())


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setitem(development_policy.TITLES, THEM, ("ministry", "Accréditation", "Accreditation"))
    monkeypatch.setitem(development_policy.AGREEMENTS, "ENT-2026-50", AGREEMENT)
    monkeypatch.setattr("gateway.development.UNSIGNED", frozenset({THEM}))
    monkeypatch.setattr(WithAccreditation, "port", free_port(), raising=False)
    made = Gateway(tmp_path / "gateway")
    yield made
    for name in list(made.processes):
        made.stop(name)


def listening(gateway: Gateway, folder: Path) -> Listening:
    authority = gateway.authorities[THEM]
    issued = authority.issue(Profile.TLS_SERVER, [f"{THEM}.passerelle.test", "localhost"])
    write_public(folder / "tls.pem", issued.pem + authority.issuing.pem)
    write_private(folder / "tls.key", issued.key_pem)
    callers = gateway.folder / "trust" / "roots" / "passerelle.pem"
    return Listening("127.0.0.1", WithAccreditation.port, 0, folder / "tls.pem", folder / "tls.key", callers)


def test_a_folder_is_all_that_it_takes(gateway: Gateway, tmp_path: Path) -> None:
    asked: list[str] = []
    handler = type("Handler", (Register,), {"asked": asked})
    with ServiceServer(listening(gateway, tmp_path / "their"), handler, Switchboard()) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        gateway.start()
        client = gateway.client("ministry")
        target = "/v1/permits/3041-7782?as_of=2026-10-31"
        request = client._signer.sign("GET", target, b"", agreement="ENT-2026-50", purpose="inspection")
        answer = client.send(request)
        assert answer.status == 200, answer.body
        assert client.prove(answer, within=40) is not None
        server.shutdown()
    fields: dict[str, Any] = json.loads(answer.body)
    assert (fields["state"], fields["name"], fields["expires"]) == ("valid", "Les Bouts de chou", None)
    assert fields["capacities"] == [{"age": "infant", "places": 10}, {"age": "child", "places": 60}]
    assert len(asked) == 1
    assert gateway.stop() == 0
    # an auditor brings the contract too, from whoever agreed on it
    shutil.copy2(PERMITS / "contract.yaml", gateway.folder / "trust" / "contracts" / "permits.yaml")
    report = audit(gateway.folder / "gateway" / "log", gateway.folder / "trust")
    assert report.findings == ()
