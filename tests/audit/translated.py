"""A gateway of which both sides kept everything: faithful at first, then with a lie wherever it could tell one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gateway.model import Nirec
from tests.audit.answered import KeepingParty
from tests.audit.kept_by_both import KeepingGateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    """By REST and by SOAP: faithful ones first, then a lie in each place where the gateway could tell one."""

    def __init__(self, folder: Path) -> None:
        self.gateway = gateway = KeepingGateway(folder / "gateway")
        self.log, self.trust = gateway.settings.folders.log, gateway.folder / "trust"
        self.party = KeepingParty(gateway, "ministry", folder / "receipts")
        self.kept = self.party.bodies
        self.kept.mkdir()
        gateway.registry.results = ["CONFIRME", "NON_CONFIRME", "INTROUVABLE", "CONFIRME", "INTROUVABLE"]
        self.faithful = [
            self.party.verify(fresh_salt()).exchange_id,
            self.party.verify(fresh_salt()).exchange_id,
            self.party.verify(fresh_salt()).exchange_id,
            gateway.verify_by_soap(self.kept),
            gateway.verify_by_soap(self.kept, "soap12"),
            self.party.echo(agreement="ESSAI-MIN", purpose="essai").exchange_id,
            gateway.by_soap(self.kept, "echo", "soap12", message="Ça va?"),
        ]
        self.denied = self.party.echo(agreement="NONE").exchange_id
        self.counted = [
            self._count(),
            gateway.by_soap(self.kept, "waitlist.statistics", "soap12", as_of="2026-10-31", region="13"),
        ]
        self.acknowledged = self.party.acknowledge(
            self.party.echo(agreement="ESSAI-MIN", purpose="essai"), agreement="ESSAI-MIN", purpose="essai"
        ).exchange_id
        self.acknowledged_by_soap = gateway.acknowledge_by_soap(
            self.kept, gateway.by_soap(self.kept, "echo", "soap11", message="Bonjour")
        )
        gateway.registry.results = ["CONFIRME"] * 10
        self.lies: dict[str, str] = {}
        for name, change in (
            ("dateNaissance", lambda fields: fields | {"birth_date": "2024-03-01"}),
            ("nirec", lambda fields: fields | {"nirec": Nirec("2" * 13)}),
        ):
            gateway.registry.ask = change
            self.lies[name] = self.party.verify(fresh_salt()).exchange_id
            self.lies[f"{name} by SOAP"] = gateway.verify_by_soap(self.kept)
        gateway.registry.ask = lambda fields: fields
        gateway.registry.tell = lambda fields: fields | {"outcome": "not_confirmed"}
        self.lies["outcome"] = self.party.verify(fresh_salt()).exchange_id
        self.lies["outcome by SOAP"] = gateway.verify_by_soap(self.kept)
        gateway.echoing.tell = lambda fields: fields | {"message": "bonsoir"}
        self.lies["message"] = self.party.echo(agreement="ESSAI-MIN", purpose="essai").exchange_id
        self.lies["message by SOAP"] = gateway.by_soap(self.kept, "echo", "soap11", message="bonjour")
        gateway.counting.ask = lambda fields: fields | {"region": "06"}
        self.lies["region"] = self._count()
        gateway.counting.ask = lambda fields: fields
        gateway.counting.tell = lambda fields: fields | {"average_wait_months": "1.5"}
        self.lies["average_wait_months"] = self._count()
        gateway.worker.close()
        gateway.sequence()
        gateway.sequence()

    def _count(self) -> str:
        target = "/v1/waitlist/statistics?as_of=2026-10-31&region=13"
        return self.party.read(target, "ENT-2026-09", "planification").exchange_id


def kept_of(run: Run, folder: Path, *ids: str) -> Path:
    """What callers kept of these exchanges."""
    folder.mkdir()
    for path in run.kept.iterdir():
        if path.name.partition(".")[0] in ids:
            shutil.copy2(path, folder)
    return folder
