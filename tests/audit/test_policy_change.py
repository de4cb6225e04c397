from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway

if TYPE_CHECKING:
    from pathlib import Path


def test_each_exchange_is_judged_by_the_policy_of_its_time(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway")
    gateway.echo()
    first, second = gateway.settings.folders.policy.read_bytes(), b""
    second = first.replace(b"version: 1", b"version: 2").replace(b"  - essai", b"  - autre")
    gateway.restart(second)
    gateway.echo(purpose="autre")
    gateway.echo(purpose="essai")
    gateway.worker.close()
    gateway.sequence()
    verdict = audit(gateway.settings.folders.log, gateway.folder / "trust")
    assert verdict.findings == ()
    assert (verdict.facts.exchanges, verdict.facts.refusals) == (2, (("purpose_not_agreed", 1),))

    forger = Forger(gateway)
    items = forger.copy()
    later = [item for item in items if item.leaf.kind == "exchange"][1]
    before = items[0].evidence["policy"]
    forger.change(later, lambda evidence: evidence.update(policy=before))
    forged = forger.write(items, tmp_path / "forged")
    assert {finding.code for finding in audit(forged, gateway.folder / "trust").findings} == {Fault.POLICY_DIFFERS}
